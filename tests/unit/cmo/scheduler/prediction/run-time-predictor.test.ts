import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RunTimePredictor } from '../../../../../src/cmo/scheduler/prediction/run-time-predictor.ts';
import { features, logNormal, runThrough, uniform } from './support.ts';

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

describe('run-time prediction', () => {
  it('learns a user apart from the others', () => {
    const predictor = new RunTimePredictor();
    for (let i = 0; i < 60; i++) {
      runThrough(predictor, { user: 'ada' }, i * 5000, 60);
      runThrough(predictor, { user: 'bob' }, i * 5000 + 2500, 36_000);
    }
    const [ada, bob] = ['ada', 'bob'].map((user) =>
      predictor.predict(predictor.submitted(features({ user, submittedAt: 1e6 }))),
    );
    expect(ada!.p50).toBeGreaterThan(40);
    expect(ada!.p50).toBeLessThan(90);
    expect(bob!.p50).toBeGreaterThan(25_000);
    expect(bob!.p50).toBeLessThan(50_000);
    expect(ada).toMatchObject({ source: 'history', observations: 60 });
  });

  it('gives a new user what jobs of that size did', () => {
    const predictor = new RunTimePredictor();
    for (let i = 0; i < 100; i++) {
      runThrough(predictor, { user: `user${i % 10}`, size: 8 }, i * 1e5, 20_000);
      runThrough(predictor, { user: `user${i % 10}`, size: 1 }, i * 1e5 + 50_000, 100);
    }
    const predict = (size: number) =>
      predictor.predict(predictor.submitted(features({ user: 'new', name: 'new', size, submittedAt: 2e7 }))).p50;
    expect(predict(8)).toBeGreaterThan(20 * predict(1));
  });

  it('learns from jobs that run still, not only from those that ended', () => {
    const predictor = new RunTimePredictor();
    for (let i = 0; i < 50; i++) runThrough(predictor, {}, i * 5000, 100);
    const before = predictor.predict(predictor.submitted(features({ submittedAt: 3e5 }))).meanSeconds;
    for (let i = 0; i < 20; i++) predictor.started(predictor.submitted(features({ submittedAt: 3e5 + i })), 3e5 + 20);
    predictor.advance(3e5 + 50_000);
    const sibling = predictor.submitted(features({ submittedAt: 3e5 + 30 }));
    expect(predictor.predict(sibling).meanSeconds).toBeGreaterThan(20 * before);
  });

  it('learns a burst within a few ends, against a long history', () => {
    const predictor = new RunTimePredictor();
    for (let i = 0; i < 100; i++) runThrough(predictor, {}, i * 50_000, 30_000);
    const burst = Array.from({ length: 10 }, (_, i) => predictor.submitted(features({ submittedAt: 1e7 + i })));
    const before = predictor.predict(burst[9]!).meanSeconds;
    for (const job of burst.slice(0, 4)) {
      predictor.started(job, 1e7 + 10);
      predictor.ended(job, 1e7 + 25);
    }
    expect(predictor.predict(burst[9]!).meanSeconds).toBeLessThan(before / 5);
  });

  it('is a distribution whatever it has seen, and leaves out what has passed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0, max: 1e8, noNaN: true }), fc.nat(3)), { maxLength: 40 }),
        fc.double({ min: 0, max: 1e7, noNaN: true }),
        (runs, elapsed) => {
          const predictor = new RunTimePredictor();
          runs.forEach(([seconds, user], i) => {
            runThrough(predictor, { user: `u${user}` }, i * 1000, seconds);
          });
          const job = predictor.submitted(features({ submittedAt: 1e6 }));
          expect(sum(predictor.distribution(job, elapsed))).toBeCloseTo(1, 6);
          const { p10, p50, p80, p90, meanSeconds } = predictor.predict(job, elapsed);
          expect(p10).toBeGreaterThanOrEqual(elapsed);
          expect(p50).toBeGreaterThanOrEqual(p10);
          expect(p80).toBeGreaterThanOrEqual(p50);
          expect(p90).toBeGreaterThanOrEqual(p80);
          expect(meanSeconds).toBeGreaterThanOrEqual(elapsed);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives the same predictions for the same calls', () => {
    const run = () => {
      const predictor = new RunTimePredictor();
      const random = uniform(3);
      for (let i = 0; i < 200; i++) {
        runThrough(predictor, { user: `u${i % 7}` }, i * 100, logNormal(random, 300, 1));
      }
      return predictor.predict(predictor.submitted(features({ user: 'u3', submittedAt: 1e6 })));
    };
    expect(run()).toEqual(run());
  });

  it('keeps at most so many keys, however many users come', () => {
    const predictor = new RunTimePredictor({ maxKeys: 100 });
    for (let i = 0; i < 2000; i++) runThrough(predictor, { user: `user${i}`, name: `job${i}` }, i * 10, 60);
    expect(predictor.keyCount).toBeLessThanOrEqual(100);
    expect(predictor.predict(predictor.submitted(features({ user: 'x', submittedAt: 1e6 }))).p50).toBeLessThan(120);
  });

  it('refuses a table that cannot hold a key', () => {
    expect(() => new RunTimePredictor({ maxKeys: 0 })).toThrow(RangeError);
    expect(() => new RunTimePredictor({ maxKeys: Number.NaN })).toThrow(RangeError);
  });
});

describe('coverage', () => {
  const laws: [string, (random: () => number, i: number) => number][] = [
    ['one narrow law', (random) => logNormal(random, 600, 0.3)],
    ['one wide law', (random) => logNormal(random, 600, 2)],
    ['a law of two kinds', (random) => (random() < 0.3 ? logNormal(random, 20, 0.5) : logNormal(random, 20_000, 0.5))],
    ['a law that drifts', (random, i) => logNormal(random, 100 * 2 ** (i / 1000), 0.8)],
    ['a law that jumps', (random, i) => logNormal(random, i % 2000 < 1000 ? 100 : 5000, 0.6)],
  ];

  it.each(laws)('is within 3 points of what is promised under %s', (_, law) => {
    const predictor = new RunTimePredictor();
    const random = uniform(11);
    const covered = { p10: 0, p50: 0, p80: 0, p90: 0 };
    let counted = 0;
    for (let i = 0; i < 5000; i++) {
      const job = predictor.submitted(features({ user: `u${i % 5}`, submittedAt: i * 1e5 }));
      const prediction = predictor.predict(job);
      const seconds = law(random, i);
      if (i >= 1000) {
        counted += 1;
        for (const name of ['p10', 'p50', 'p80', 'p90'] as const) {
          if (seconds <= prediction[name]) covered[name] += 1;
        }
      }
      predictor.started(job, i * 1e5);
      predictor.ended(job, i * 1e5 + seconds);
    }
    const shares = Object.fromEntries(Object.entries(covered).map(([name, count]) => [name, count / counted]));
    for (const [name, promised] of Object.entries({ p10: 0.1, p50: 0.5, p80: 0.8, p90: 0.9 })) {
      expect(Math.abs(shares[name]! - promised), `${name} covers ${shares[name]}`).toBeLessThanOrEqual(0.03);
    }
  });
});

describe("the user's estimate", () => {
  it('is the prediction while nothing better is known', () => {
    const predictor = new RunTimePredictor();
    const job = predictor.submitted(features({ estimateSeconds: 7200 }));
    expect(predictor.predict(job)).toMatchObject({ source: 'estimate', p10: 7200, p50: 7200, p90: 7200 });
  });

  it('stays it where it is right and history is not', () => {
    const predictor = new RunTimePredictor();
    const random = uniform(5);
    for (let i = 0; i < 300; i++) {
      const seconds = Math.round(logNormal(random, 1000, 2));
      runThrough(predictor, { estimateSeconds: seconds + 1 }, i * 1e5, seconds);
    }
    const job = predictor.submitted(features({ estimateSeconds: 4321, submittedAt: 1e9 }));
    expect(predictor.predict(job)).toMatchObject({ source: 'estimate', p50: 4321 });
  });

  it('gives way to history where users overestimate', () => {
    const predictor = new RunTimePredictor();
    for (let i = 0; i < 60; i++) runThrough(predictor, { estimateSeconds: 86_400 }, i * 1e5, 300);
    const job = predictor.submitted(features({ estimateSeconds: 86_400, submittedAt: 1e9 }));
    const prediction = predictor.predict(job);
    expect(prediction.source).toBe('history');
    expect(prediction.p50).toBeLessThan(600);
  });

  it('is not the prediction of a job that has outlived it', () => {
    const predictor = new RunTimePredictor();
    const job = predictor.submitted(features({ estimateSeconds: 100 }));
    const prediction = predictor.predict(job, 150);
    expect(prediction.source).not.toBe('estimate');
    expect(prediction.p10).toBeGreaterThanOrEqual(150);
  });

  it.each([Number.NaN, -5, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'of %d is none',
    (estimateSeconds) => {
      const predictor = new RunTimePredictor();
      const prediction = predictor.predict(predictor.submitted(features({ estimateSeconds })));
      expect(prediction.source).toBe('prior');
      expect(Number.isFinite(prediction.meanSeconds)).toBe(true);
    },
  );

  it('of a million years is held like any other', () => {
    const predictor = new RunTimePredictor();
    const { p50 } = predictor.predict(predictor.submitted(features({ estimateSeconds: 3e13 })));
    expect(p50).toBe(3e13);
    expect(sum(predictor.distribution(predictor.submitted(features({ estimateSeconds: 3e13 }))))).toBeCloseTo(1);
  });
});

describe('absurd histories', () => {
  const known = () => {
    const predictor = new RunTimePredictor();
    for (let i = 0; i < 50; i++) runThrough(predictor, {}, i * 5000, 100);
    return predictor;
  };
  const median = (predictor: RunTimePredictor) =>
    predictor.predict(predictor.submitted(features({ submittedAt: 1e9 }))).p50;

  it.each([
    ['ends before it started', -50],
    ['ends at no time', Number.NaN],
    ['never ends', Number.POSITIVE_INFINITY],
  ])('a job that %s teaches nothing', (_, seconds) => {
    const predictor = known();
    const before = median(predictor);
    runThrough(predictor, {}, 5e5, seconds);
    expect(median(predictor)).toBeCloseTo(before, 6);
  });

  it('a job that ends without having started teaches nothing', () => {
    const predictor = known();
    const before = median(predictor);
    predictor.ended(predictor.submitted(features({ submittedAt: 5e5 })), 6e5);
    expect(median(predictor)).toBeCloseTo(before, 6);
  });

  it('a job that was stopped says "longer than so far" only', () => {
    const [stopped, finished] = (['stopped', 'finished'] as const).map((how) => {
      const predictor = known();
      for (let i = 0; i < 20; i++) {
        const job = predictor.submitted(features({ submittedAt: 5e5 + i * 5000 }));
        predictor.started(job, 5e5 + i * 5000);
        predictor.ended(job, 5e5 + i * 5000 + 5, how);
      }
      return median(predictor);
    });
    expect(stopped!).toBeGreaterThan(80);
    expect(finished!).toBeLessThan(20);
  });

  it.each([Number.NaN, -1, 0, Number.POSITIVE_INFINITY])('a size of %d counts as one', (size) => {
    const predictor = known();
    expect(predictor.predict(predictor.submitted(features({ size, submittedAt: 1e9 }))).p50).toBeCloseTo(
      median(predictor),
      6,
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('a submission at %d is predicted all the same', (submittedAt) => {
    expect(known().predict(known().submitted(features({ submittedAt }))).p50).toBeGreaterThan(0);
  });

  it('time that has passed counts as none when it is no number', () => {
    const predictor = known();
    const job = predictor.submitted(features({ submittedAt: 1e9 }));
    expect(predictor.predict(job, Number.NaN)).toEqual(predictor.predict(job));
    expect(predictor.predict(job, -10)).toEqual(predictor.predict(job));
  });

  it('a job goes on where its checkpoint was', () => {
    const predictor = known();
    const job = predictor.submitted(features({ submittedAt: 5e5 }));
    predictor.started(job, 5e5);
    predictor.ended(job, 5e5 + 1000, 'stopped');
    predictor.started(job, 6e5, 1000);
    predictor.advance(6e5 + 1000);
    predictor.ended(job, 6e5 + 3000);
    const sibling = predictor.submitted(features({ submittedAt: 5e5 + 10 }));
    expect(predictor.predict(sibling).meanSeconds).toBeGreaterThan(200);
  });
});
