import { describe, expect, it } from 'vitest';
import { EstimateTrust } from '../../../../../src/cmo/scheduler/prediction/estimate-trust.ts';
import {
  chainOf,
  classKey,
  levels,
  usableEstimate,
  usableSize,
} from '../../../../../src/cmo/scheduler/prediction/job-features.ts';
import { features } from './support.ts';

const chain = (changes: Parameters<typeof features>[0]) => chainOf(features(changes)).map(({ level }) => level);

describe('the chain of keys', () => {
  it('goes from everything to this kind of job at this time of day', () => {
    expect(chain({ estimateSeconds: 60 })).toEqual(['all', 'estimate', 'size', 'user', 'class', 'hour']);
  });

  it('leaves out what is not known, so that nothing counts twice', () => {
    expect(chain({})).toEqual(['all', 'size', 'user', 'class', 'hour']);
    expect(chain({ user: '' })).toEqual(['all', 'size', 'class', 'hour']);
    expect(chain({ user: '', name: '' })).toEqual(['all', 'size']);
    expect(chain({ submittedAt: Number.NaN })).not.toContain('hour');
  });

  it('names levels that are known, in their order', () => {
    const order = Object.keys(levels);
    const positions = chain({ estimateSeconds: 60 }).map((level) => order.indexOf(level));
    expect([...positions].sort((a, b) => a - b)).toEqual(positions);
  });

  it('tells apart what could run into each other', () => {
    expect(classKey(features({ user: 'a b', name: 'c' }))).not.toBe(classKey(features({ user: 'a', name: 'b c' })));
    expect(classKey(features({ size: 1 }))).not.toBe(classKey(features({ size: 2 })));
  });

  it('has four times of day, also before 1970', () => {
    const hour = (submittedAt: number) => chainOf(features({ submittedAt })).find(({ level }) => level === 'hour')!.key;
    const keys = [0, 6, 12, 18].map((hours) => hour(hours * 3600 + 60));
    expect(new Set(keys).size).toBe(4);
    expect(hour(-18 * 3600 + 60)).toBe(keys[1]);
    expect(hour(86_400 * 7 + 60)).toBe(keys[0]);
  });
});

describe('features that cannot be', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 0])('an estimate of %d is none', (estimateSeconds) => {
    expect(usableEstimate(features({ estimateSeconds }))).toBeNull();
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -8, 0, 0.5])('a size of %d is one', (size) => {
    expect(usableSize(features({ size }))).toBe(1);
  });
});

describe('trust in estimates', () => {
  it('is given until ten ends were scored', () => {
    const trust = new EstimateTrust();
    for (let i = 0; i < 9; i++) trust.learn(true, 100, 86_400, 100);
    expect(trust.prefersEstimate(true)).toBe(true);
    trust.learn(true, 100, 86_400, 100);
    expect(trust.prefersEstimate(true)).toBe(false);
  });

  it('is kept apart for kinds of jobs seen before and new ones', () => {
    const trust = new EstimateTrust();
    for (let i = 0; i < 20; i++) {
      trust.learn(true, 100, 86_400, 100);
      trust.learn(false, 50_000, 200, 100);
    }
    expect(trust.prefersEstimate(true)).toBe(false);
    expect(trust.prefersEstimate(false)).toBe(true);
  });

  it('comes back when history turns out worse', () => {
    const trust = new EstimateTrust();
    for (let i = 0; i < 50; i++) trust.learn(true, 100, 1000, 100);
    for (let i = 0; i < 200; i++) trust.learn(true, 100, 10_000, 10_000);
    expect(trust.prefersEstimate(true)).toBe(true);
  });

  it('is not upset by run times of nothing', () => {
    const trust = new EstimateTrust();
    for (let i = 0; i < 20; i++) trust.learn(true, 0, 3600, 0);
    expect(trust.prefersEstimate(true)).toBe(false);
  });
});
