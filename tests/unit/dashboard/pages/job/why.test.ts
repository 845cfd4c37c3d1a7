import { describe, expect, it } from 'vitest';
import { pendingTitle, readExplanation, readRejections } from '../../../../../dashboard/src/pages/job/why/why.ts';
import type { RejectionCode } from '../../../../../src/common/contract/plan.ts';
import { pendingReasons } from '../../../../../src/common/contract/states/job.ts';

const explanation = {
  policy: 'balanced@3',
  round: 7,
  decidedAt: '2026-11-22T00:00:00.000Z',
  feasibleCount: 40,
  candidates: [
    {
      nodeId: 'node_a',
      nodeName: 'rack-a',
      siteId: 'site_1',
      siteName: 'north',
      score: 1.5,
      terms: [
        { name: 'price', value: 2.5, unit: 'USD/h' },
        { name: 'cpu_left', value: 3, unit: 'cores' },
      ],
    },
    {
      nodeId: 'node_b',
      nodeName: null,
      siteId: 'site_2',
      siteName: null,
      score: 2,
      terms: [
        { name: 'price', value: 3, unit: 'USD/h' },
        { name: 'heat_reused', value: 1, unit: 'W' },
      ],
    },
  ],
  rejections: { cpu: 1, price: 12, cordoned: 0, brand_new: 3 },
};

describe('why here', () => {
  const why = readExplanation(explanation, 1);

  it('has a column for each term with its unit and leaves open what a candidate does not have', () => {
    expect(why.columns).toEqual([
      { name: 'price', label: 'Price', unit: 'USD/h' },
      { name: 'cpu_left', label: 'CPU left', unit: 'cores' },
      { name: 'heat_reused', label: 'Heat reused', unit: 'W' },
    ]);
    expect(why.rows.map(({ values }) => values)).toEqual([
      [2.5, 3, null],
      [3, null, 1],
    ]);
  });

  it('marks as many as the job took, and says how many fitted beyond the list', () => {
    expect(why.rows.map(({ chosen }) => chosen)).toEqual([true, false]);
    expect(readExplanation(explanation, 2).rows.map(({ chosen }) => chosen)).toEqual([true, true]);
    expect(why.unlisted).toBe(38);
  });

  it('says in words what refused nodes lacked, most frequent first', () => {
    expect(why.rejections.map(({ count, words }) => `${count} ${words}`)).toEqual([
      '12 cost more than maxPricePerHour',
      '3 were refused by brand_new',
      '1 has too little CPU free',
    ]);
    expect(readRejections(null)).toEqual([]);
  });

  it('has words for every rejection and every pending reason', () => {
    const codes: Record<RejectionCode, true> = {
      presence: true,
      cordoned: true,
      unhealthy: true,
      isolation: true,
      network: true,
      labels: true,
      cpu: true,
      memory: true,
      disk: true,
      device_kind: true,
      device_model: true,
      device_memory: true,
      device_driver: true,
      device_count: true,
      price: true,
      reserved: true,
      affinity: true,
      anti_affinity: true,
      spread: true,
    };
    for (const code of Object.keys(codes)) expect(readRejections({ [code]: 2 })[0]!.words).not.toContain('refused by');
    for (const reason of pendingReasons) expect(pendingTitle(reason)).not.toMatch(/^Waits: /);
    expect(pendingTitle('brand_new')).toBe('Waits: brand new');
  });
});
