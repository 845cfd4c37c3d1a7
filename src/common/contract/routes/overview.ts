/** The figures of the overview: one cheap answer, instead of lists that a page would have to count. */
import { z } from 'zod';
import { instant, usd } from './parts.ts';
import { defineRoute } from './route.ts';

const count = z.int().min(0);

export const overview = z
  .object({
    queued: count,
    starting: count,
    running: count,
    stopping: count,
    suspended: count,
    succeededToday: count.describe('Ended since midnight UTC.'),
    failedToday: count,
    cancelledToday: count,
    countsCapped: z.boolean().describe('A count reached 10,000 and was cut off there.'),
    spendTodayUsd: usd.describe('Cost of what ran since midnight UTC, the part of it that lies after.'),
    burnUsdPerHour: usd.describe('What runs now, at its prices.'),
    energyTodayKwh: z.number().min(0).describe('Of ranks that ended; what runs has not reported its energy yet.'),
    energySource: z
      .enum(['measured', 'modelled'])
      .nullable()
      .describe('`modelled` when any part of it was; null: nothing ended.'),
    usageCapped: z.boolean().describe('More was used than is added up at once: spend and energy are lower bounds.'),
    nodesReady: count.describe('The fleet is the installation’s, not the tenant’s.'),
    nodesTotal: count.describe('Not counting removed ones.'),
    devicesTotal: count.describe('Of nodes that are ready, like the four below.'),
    deviceMilli: count.describe('Thousandths of devices.'),
    deviceUsedMilli: count,
    cpuMilli: count,
    cpuUsedMilli: count,
    at: instant,
  })
  .meta({ id: 'Overview' });

export const overviewRoutes = {
  getOverview: defineRoute('getOverview', {
    summary: 'Figures of the tenant and the fleet at this moment: jobs by state, spend and energy today, use',
    access: { role: 'viewer' },
    status: 200,
    answer: 'json',
    response: overview,
    errors: [],
  }),
};
