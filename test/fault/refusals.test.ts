import { describeRefusals } from './refusals.ts';

describeRefusals(7, ['EIO', 'ENOSPC', 'EACCES']);
