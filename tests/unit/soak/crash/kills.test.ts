import { describe, expect, it } from 'vitest';
import { eachFailpoint, eachTarget, type Kill, plannedKills, targets } from '../../../../soak/crash/kills.ts';
import { randomOf } from '../../../../soak/crash/random.ts';
import { FAILPOINTS } from '../../../../src/common/failpoints.ts';

function planned(seed: number, count: number): Kill[] {
  const kills: Kill[] = [];
  for (const kill of plannedKills(randomOf(seed, 'kills'))) {
    if (kills.length === count) break;
    kills.push(kill);
  }
  return kills;
}

describe('planned kills', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(planned(3, 50)).toEqual(planned(3, 50));
    expect(planned(3, 50)).not.toEqual(planned(4, 50));
  });

  it('take every failpoint before one is taken again, every other kill', () => {
    const names = planned(1, 4 * FAILPOINTS.length).flatMap((kill) => (kill.at === 'failpoint' ? [kill.name] : []));
    expect(names.slice(0, FAILPOINTS.length).toSorted()).toEqual(FAILPOINTS.toSorted());
    expect(names.slice(FAILPOINTS.length).toSorted()).toEqual(FAILPOINTS.toSorted());
  });

  it('cover every target and every failpoint once in the short forms', () => {
    expect(eachTarget(randomOf(1, 'a')).map((kill) => kill.at === 'moment' && kill.target)).toEqual([...targets]);
    expect(eachFailpoint(randomOf(1, 'a')).map((kill) => kill.at === 'failpoint' && kill.name)).toEqual([
      ...FAILPOINTS,
    ]);
  });
});
