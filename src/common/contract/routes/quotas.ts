/** Shares and quotas: what accounts (tenant, project, who submits) may use, what they use, and the queue that follows from it. */
import { z } from 'zod';
import { pendingReasons } from '../states/job.ts';
import { id, instant, name, usd, usdInput, whole } from './parts.ts';
import { defineRoute } from './route.ts';

const tenant = id('tenant').optional().describe('For operators: whose accounts. Default: the own tenant.');
const amount = z.number().min(0).max(1_000_000_000);

const quota = z.strictObject({
  resource: z
    .string()
    .max(80)
    .regex(
      /^(cpu|(gpu|tpu|fpga)(\/[A-Za-z0-9][A-Za-z0-9._-]*)?)$/,
      'expected cpu, gpu, tpu, fpga, or one model like gpu/H100',
    )
    .describe('`cpu` (cores), `gpu`, `tpu`, `fpga` (devices), or one model like `gpu/H100`.'),
  guaranteed: amount.default(0).describe('Cores or devices that the account gets whoever else wants them. Default 0.'),
  borrowLimit: amount
    .nullable()
    .default(null)
    .describe('How much more it may use while others leave it; null: as much as there is.'),
});

const limits = z.strictObject({
  runningJobs: z
    .int()
    .min(0)
    .max(1_000_000)
    .nullable()
    .default(null)
    .describe('Most jobs that hold something at a time.'),
  devices: amount.nullable().default(null).describe('Most devices of any kind at a time.'),
});

/** What an account is given, but for budgets; files of simulations say it in the same words. */
export const accountFields = {
  weight: z.number().gt(0).max(1_000_000).default(1).describe('Its part of what its siblings share. Default 1.'),
  quotas: z.array(quota).max(64).default([]).describe('Replace those it had.'),
  limits: limits.prefault({}),
};

const budgetFields = {
  period: z.enum(['day', 'month']).describe('Of the calendar, in UTC.'),
  onExhausted: z
    .enum(['wait', 'stop'])
    .default('wait')
    .describe(
      '`wait`: queued jobs wait for the next period, what runs goes on. `stop`: what runs is ended with its grace and waits, too.',
    ),
};
const kwh = z.number().min(0).max(1_000_000_000);
const usdBudget = z.strictObject({
  kind: z.literal('usd'),
  ...budgetFields,
  limitUsd: usdInput.describe('Most dollars by list prices.'),
});
const kwhBudget = z.strictObject({
  kind: z.literal('kwh'),
  ...budgetFields,
  limitKwh: kwh.describe('Most energy; that of an attempt counts when it has ended.'),
});

const renewsAt = instant.describe('When the next period begins.');
const budgetState = z.discriminatedUnion('kind', [
  usdBudget.extend({ limitUsd: usd, spentUsd: usd.describe('So far in this period.'), renewsAt }),
  kwhBudget.extend({ spentKwh: z.number().min(0).describe('So far in this period.'), renewsAt }),
]);

const account = z
  .object({
    project: z
      .object({ id: id('project'), name: z.string() })
      .nullable()
      .describe('null: the whole tenant.'),
    submitter: z.object({ id: z.string(), name: z.string() }).nullable().describe('null: everybody.'),
    declared: z.boolean().describe('Somebody set it; others have weight 1 and no quota.'),
    weight: z.number().positive(),
    quotas: z.array(quota),
    limits,
    budgets: z.array(budgetState),
    uses: z
      .object({
        jobs: z.int(),
        cpu: z.number(),
        memoryBytes: z.number(),
        gpu: z.number(),
        tpu: z.number(),
        fpga: z.number(),
      })
      .describe('What its jobs hold now: cores, bytes, devices.'),
    share: z.number().min(0).describe('The largest part of the fleet’s cores or devices that it holds now, 0–1.'),
    pastDeviceHours: z.number().describe('Device-hours of the past, halved with every half-life of the policy.'),
  })
  .meta({ id: 'Account' });

const waiting = z.object({
  position: z
    .int()
    .min(1)
    .describe('Among the tenant’s jobs: those with `ahead` by it, then the others by priority and arrival.'),
  ahead: z
    .int()
    .min(0)
    .nullable()
    .describe(
      'Jobs of all tenants that go before it for the same kind of thing, in the order of rounds (priorities, shares, policy), when the scheduler looked last; null when it stands in no line: further behind than the first hundred, or it waits for something else than nodes.',
    ),
  id: id('job'),
  name: z.string(),
  project: z.object({ id: id('project'), name: z.string() }),
  priority: z.int(),
  submittedAt: instant,
  reason: z.enum(pendingReasons),
  message: z.string().nullable(),
  expectedAt: instant.nullable().describe('When it is expected to start; null when nobody can say.'),
});

export const quotaRoutes = {
  listQuotas: defineRoute('listQuotas', {
    summary: 'Accounts of the tenant: weights, quotas, limits, and what they use',
    access: { role: 'viewer' },
    query: z.strictObject({ tenant }),
    status: 200,
    answer: 'json',
    response: z.object({ items: z.array(account) }),
    errors: ['forbidden'],
  }),
  setQuota: defineRoute('setQuota', {
    summary: 'Set weight, quotas and limits of a project or of who submits in it; operators: of a tenant',
    access: { role: 'admin' },
    body: z.strictObject({
      tenant,
      project: name
        .optional()
        .describe('Name of the project. Default: the tenant as a whole, which only operators set.'),
      submitter: z
        .union([id('key'), id('user')])
        .optional()
        .describe('Id of a user, or of a key that no user has; with `project`.'),
      ...accountFields,
      budgets: z
        .array(z.discriminatedUnion('kind', [usdBudget, kwhBudget]))
        .max(4)
        .default([])
        .describe('What it may spend in a day or month, at most one of a kind and period. Replace those it had.'),
    }),
    status: 200,
    answer: 'json',
    response: account,
    errors: ['forbidden', 'quota_invalid', 'not_found'],
  }),
  removeQuota: defineRoute('removeQuota', {
    summary: 'Forget what was set for an account: weight 1, no quota, no limit',
    access: { role: 'admin' },
    query: z.strictObject({ tenant, project: name.optional(), submitter: z.union([id('key'), id('user')]).optional() }),
    status: 204,
    answer: 'none',
    response: z.undefined(),
    errors: ['forbidden', 'quota_invalid', 'not_found'],
  }),
  getQueue: defineRoute('getQueue', {
    summary: 'The tenant’s queue: how many wait for which reason, and the first of them in order',
    access: { role: 'viewer' },
    query: z.strictObject({ limit: whole(1, 500).default(50) }),
    status: 200,
    answer: 'json',
    response: z.object({
      waiting: z.int(),
      reasons: z.array(z.object({ reason: z.enum(pendingReasons), jobs: z.int() })),
      items: z.array(waiting),
    }),
    errors: [],
  }),
};
