/**
 * A barrier is three words: how many threads have arrived, a generation, how many threads sleep. Threads spin for a
 * bounded number of rounds, as most waits are shorter than a wake-up; then they sleep until the generation changes.
 */
const SPIN_ROUNDS: i32 = 20000;

export function barrier(at: usize, parties: i32): void {
  if (parties == 1) return;
  const generation = atomic.load<i32>(at, 4);
  if (atomic.add<i32>(at, 1) + 1 == parties) {
    atomic.store<i32>(at, 0);
    atomic.add<i32>(at, 1, 4);
    // A sleeper counts itself before it compares the generation, so either it is seen here or it does not sleep.
    if (atomic.load<i32>(at, 8) > 0) atomic.notify(at + 4, parties);
    return;
  }
  for (let round = 0; round < SPIN_ROUNDS; round++) {
    if (atomic.load<i32>(at, 4) != generation) return;
  }
  atomic.add<i32>(at, 1, 8);
  while (atomic.load<i32>(at, 4) == generation) atomic.wait<i32>(at + 4, generation, -1);
  atomic.sub<i32>(at, 1, 8);
}
