import { Type } from '@sinclair/typebox';
import type { TSchema } from '@sinclair/typebox';

/** Or null: "not measured". */
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
