import { describeRefusals } from '../fault/refusals.ts';

describeRefusals(1, ['EIO', 'ENOSPC', 'EACCES']);
