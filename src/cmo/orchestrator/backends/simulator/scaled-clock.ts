/** A clock that runs faster or slower than another one, from the moment at which it was made. */
import type { Clock } from '../../../../common/clock.ts';

/** @param speed seconds of this clock in one second of `base`, > 0 */
export function scaledClock(base: Clock, speed: number): Clock {
  if (!(speed > 0)) throw new RangeError('a clock has a speed above 0');
  const began = { wallMs: base.now().getTime(), monotonicMs: base.monotonicMs() };
  // By monotonic time, so that a wall clock that is set makes no simulated machine jump.
  const passedMs = () => (base.monotonicMs() - began.monotonicMs) * speed;
  return {
    now: () => new Date(began.wallMs + passedMs()),
    monotonicMs: () => began.monotonicMs + passedMs(),
  };
}
