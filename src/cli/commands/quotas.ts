/** `solyx quotas`: who may use how much of the fleet, and who uses it. */
import { type Command, InvalidArgumentError } from 'commander';
import type { CallAnswer } from '../../common/contract/client.ts';
import { whole } from '../arguments.ts';
import { connect } from '../connect.ts';
import { note, print, printable, printJson, printTable } from '../output.ts';

type Account = CallAnswer<'setQuota'>;
type Amounts = Readonly<Record<string, number>>;

interface Target {
  tenant?: string;
  project?: string;
  submitter?: string;
  json?: boolean;
}

interface SetOptions extends Target {
  weight?: number;
  guarantee?: Amounts;
  borrow?: Amounts;
  runningJobs?: number;
  devices?: number;
  budget?: readonly Budget[];
  budgetStop?: boolean;
}

interface Budget {
  readonly kind: 'usd' | 'kwh';
  readonly period: 'day' | 'month';
  readonly limit: string;
}

export function quotasCommand(program: Command): void {
  const quotas = program.command('quotas').description('see and set shares and quotas of tenants, projects and users');
  quotas
    .command('list', { isDefault: true })
    .description('list accounts: weights, quotas and what they use')
    .option('--tenant <id>', 'operators: of another tenant')
    .option('--json', 'print JSON')
    .action(list);
  withTarget(quotas.command('set').description('set what an account may use; replaces what was set'))
    .option('--weight <n>', 'its part of what its siblings share; default 1', positive)
    .option(
      '--guarantee <class=n>',
      'cores or devices it gets whoever else wants them, like gpu=8 or gpu/H100=4; repeatable',
      amounts,
    )
    .option(
      '--borrow <class=n>',
      'how much more it may use while others leave it; default no limit; repeatable',
      amounts,
    )
    .option('--running-jobs <n>', 'most jobs that hold something at a time', whole(0, 1_000_000))
    .option('--devices <n>', 'most devices at a time', whole(0, 1_000_000))
    .option(
      '--budget <kind/period=n>',
      'most dollars or energy in a day or month (UTC), like usd/month=500 or kwh/day=40; repeatable',
      budgets,
    )
    .option('--budget-stop', 'what runs is ended, too, when a budget is used up; default it goes on')
    .option('--json', 'print JSON')
    .action(set);
  withTarget(quotas.command('remove').description('forget what was set for an account'))
    .option('--json', 'print JSON')
    .action(remove);
}

const withTarget = (command: Command): Command =>
  command
    .option('--tenant <id>', 'operators: the tenant; without --project the tenant as a whole')
    .option('--project <name>', 'the project')
    .option('--submitter <id>', 'a user, or a key that is nobody’s; with --project');

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1_000_000) return value;
  throw new InvalidArgumentError('Expected a number above 0 and up to 1000000.');
}

function amounts(text: string, before: Amounts = {}): Amounts {
  const [name = '', amount = ''] = text.split('=');
  const value = Number(amount);
  if (name === '' || amount === '' || !(value >= 0)) throw new InvalidArgumentError('expected like gpu=8');
  return { ...before, [name]: value };
}

function budgets(text: string, before: readonly Budget[] = []): readonly Budget[] {
  const match = /^(usd|kwh)\/(day|month)=(\d{1,9}(?:\.\d{1,6})?)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('expected like usd/month=500 or kwh/day=40');
  const [, kind, period, limit] = match as unknown as [string, Budget['kind'], Budget['period'], string];
  return [...before, { kind, period, limit }];
}

async function set(options: SetOptions): Promise<void> {
  const { tenant, project, submitter, weight, guarantee = {}, borrow = {}, runningJobs, devices, json } = options;
  const onExhausted = options.budgetStop ? ('stop' as const) : ('wait' as const);
  const classes = [...new Set([...Object.keys(guarantee), ...Object.keys(borrow)])];
  const account = await (await connect()).setQuota({
    body: {
      tenant,
      project,
      submitter,
      weight,
      quotas: classes.map((resource) => ({
        resource,
        guaranteed: guarantee[resource] ?? 0,
        borrowLimit: borrow[resource] ?? null,
      })),
      limits: { runningJobs: runningJobs ?? null, devices: devices ?? null },
      budgets: (options.budget ?? []).map(({ kind, period, limit }) =>
        kind === 'usd'
          ? { kind, period, onExhausted, limitUsd: limit }
          : { kind, period, onExhausted, limitKwh: Number(limit) },
      ),
    },
  });
  if (json) printJson(account);
  else show([account]);
}

async function remove({ json, ...target }: Target): Promise<void> {
  await (await connect()).removeQuota({ query: target });
  if (json) printJson({ removed: true });
  else note('Removed: weight 1, no quota, no limit.');
}

async function list({ tenant, json }: { tenant?: string; json?: boolean }): Promise<void> {
  const { items } = await (await connect()).listQuotas({ query: tenant === undefined ? {} : { tenant } });
  if (json) return printJson({ items });
  show(items);
  if (items.every(({ declared }) => !declared)) print('Nothing is set: all share alike.');
}

function show(accounts: readonly Account[]): void {
  printTable(
    accounts,
    [
      { title: 'ACCOUNT', value: nameOf },
      { title: 'WEIGHT', value: ({ weight }) => String(weight), align: 'right' },
      { title: 'GUARANTEED', value: ({ quotas }) => quotas.map(quotaText).join(', ') || '–' },
      { title: 'LIMITS', value: limitText },
      { title: 'BUDGETS', value: ({ budgets: all }) => all.map(budgetText).join(', ') || '–' },
      { title: 'JOBS', value: ({ uses }) => String(uses.jobs), align: 'right' },
      { title: 'CORES', value: ({ uses }) => String(uses.cpu), align: 'right' },
      { title: 'DEVICES', value: ({ uses }) => String(uses.gpu + uses.tpu + uses.fpga), align: 'right' },
      { title: 'SHARE', value: ({ share }) => `${(share * 100).toFixed(1)} %`, align: 'right' },
    ],
    'There are no accounts.',
  );
}

const nameOf = ({ project, submitter }: Account): string =>
  project === null
    ? 'tenant'
    : printable([project.name, submitter?.name].filter((part) => part !== undefined).join('/'));

const quotaText = ({ resource, guaranteed, borrowLimit }: Account['quotas'][number]): string =>
  `${resource} ${guaranteed}${borrowLimit === null ? '' : ` (+${borrowLimit})`}`;

function budgetText(budget: Account['budgets'][number]): string {
  const { kind, period, onExhausted } = budget;
  const amounts =
    kind === 'usd'
      ? `$${dollars(budget.spentUsd)} of $${dollars(budget.limitUsd)}`
      : `${budget.spentKwh} of ${budget.limitKwh} kWh`;
  return `${amounts} a ${period}${onExhausted === 'stop' ? ' (stops)' : ''}`;
}

/** Without the places beyond cents that say nothing. */
const dollars = (usd: string): string => usd.replace(/(\.\d\d)0+$/, '$1');

const limitText = ({ limits: { runningJobs, devices } }: Account): string =>
  [runningJobs === null ? [] : `${runningJobs} jobs`, devices === null ? [] : `${devices} devices`].flat().join(', ') ||
  '–';
