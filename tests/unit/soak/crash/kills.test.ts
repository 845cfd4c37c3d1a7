import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  allFailpoints,
  eachFailpoint,
  eachTarget,
  type Kill,
  plannedKills,
  targets,
} from '../../../../soak/crash/kills.ts';
import { isWithinReach, places } from '../../../../soak/crash/places.ts';
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
    const names = planned(1, 4 * allFailpoints.length).flatMap((kill) => (kill.at === 'failpoint' ? [kill.name] : []));
    expect(names.slice(0, allFailpoints.length).toSorted()).toEqual(allFailpoints.toSorted());
    expect(names.slice(allFailpoints.length).toSorted()).toEqual(allFailpoints.toSorted());
  });

  it('cover every target and every failpoint once in the short forms', () => {
    expect(eachTarget(randomOf(1, 'a')).map((kill) => kill.at === 'moment' && kill.target)).toEqual([...targets]);
    expect(eachFailpoint(randomOf(1, 'a')).map((kill) => kill.at === 'failpoint' && kill.name)).toEqual([
      ...allFailpoints,
    ]);
  });

  it('know a way to every failpoint, and no more', () => {
    expect(Object.keys(places).toSorted()).toEqual(allFailpoints.toSorted());
  });
});

describe('failpoints in the source', () => {
  const named = sourcesBelow('src').flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\bfailpoint\('([^']+)'\)/g)].map(([, name]) => name!),
  );

  it('are each called somewhere, so that arming them means something', () => {
    expect(allFailpoints.filter((name) => !named.includes(name))).toEqual([]);
  });

  it('are each killed at by the soak', () => {
    expect(named.filter((name) => !Object.hasOwn(places, name))).toEqual([]);
  });

  it('are within reach on a machine with an OCI runtime and podman, and without containers all others are', () => {
    expect(allFailpoints.filter((name) => !isWithinReach(name, { first: 'runtime', second: 'podman' }))).toEqual([]);
    expect(allFailpoints.filter((name) => isWithinReach(name, { first: null, second: null }))).toEqual([...FAILPOINTS]);
  });
});

function sourcesBelow(folder: string): string[] {
  const root = resolve(import.meta.dirname, '../../../..', folder);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(root, name));
}
