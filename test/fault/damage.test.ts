import { describeDamage } from './damage.ts';

describeDamage(29);
