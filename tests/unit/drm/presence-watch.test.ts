import { describe, expect, it } from 'vitest';
import { PresenceWatch } from '../../../src/drm/tracker/index.ts';

const options = { graceSeconds: 20, absenceSeconds: 10, jumpSeconds: 2 };
const start = 1_000_000;

/** Looks each second for `seconds`, both clocks in step; returns the last answer and where the clocks are. */
function lookOn(watch: PresenceWatch, from: { mono: number; database: number }, seconds: number) {
  let answer = false;
  for (let second = 1; second <= seconds; second += 1) {
    answer = watch.look(from.mono + second * 1000, from.database + second * 1000);
  }
  return { answer, mono: from.mono + seconds * 1000, database: from.database + seconds * 1000 };
}

describe('blaming silence on nodes', () => {
  it('begins only after a grace from the start of the process', () => {
    const watch = new PresenceWatch(options);
    expect(watch.look(500, start)).toBe(false);
    const before = lookOn(watch, { mono: 500, database: start }, 19);
    expect(before.answer).toBe(false);
    expect(lookOn(watch, before, 1).answer).toBe(true);
  });

  it('pauses after the process or the database was away', () => {
    const watch = new PresenceWatch(options);
    watch.look(0, start);
    const well = lookOn(watch, { mono: 0, database: start }, 25);
    expect(well.answer).toBe(true);
    const away = { mono: well.mono + 60_000, database: well.database + 60_000 };
    expect(watch.look(away.mono, away.database)).toBe(false);
    expect(lookOn(watch, away, 19).answer).toBe(false);
    expect(lookOn(watch, { mono: away.mono + 19_000, database: away.database + 19_000 }, 1).answer).toBe(true);
  });

  it.each([
    ['forward', 3_600_000],
    ['back', -3_600_000],
  ])('pauses when the clock of the database was set %s', (_, jump) => {
    const watch = new PresenceWatch(options);
    watch.look(0, start);
    const well = lookOn(watch, { mono: 0, database: start }, 25);
    const set = { mono: well.mono + 1000, database: well.database + 1000 + jump };
    expect(watch.look(set.mono, set.database)).toBe(false);
    expect(lookOn(watch, set, 20).answer).toBe(true);
  });

  it('does not mind looks that are a little late or clocks a little apart', () => {
    const watch = new PresenceWatch(options);
    watch.look(0, start);
    const well = lookOn(watch, { mono: 0, database: start }, 25);
    expect(watch.look(well.mono + 9000, well.database + 10_500)).toBe(true);
  });
});
