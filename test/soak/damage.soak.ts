import { describeDamage } from '../fault/damage.ts';

describeDamage(1);
