/** Shares and quotas of accounts. Tenants set those of their projects; what a tenant as a whole gets is the operator's word. */
import type { z } from 'zod';
import type { Routes } from '../../common/contract/routes/index.ts';
import { type Tx, withSystem } from '../../common/database/index.ts';
import { SolyxError } from '../../common/errors/index.ts';
import type { Handlers, Principal } from '../../common/http/index.ts';
import { formatUsd, microUsd, parseUsd } from '../../common/money.ts';
import { readFleetTotals } from '../../drm/tracker/index.ts';
import {
  type AccountSettings,
  type AccountView,
  checkAccounts,
  InvalidAccountsError,
  listAccounts,
  readAccounts,
  removeAccount,
  setAccount,
} from '../scheduler/index.ts';
import { recordAudit } from './audit/index.ts';
import type { ApiDeps } from './deps.ts';

type WireAccount = z.output<Routes['setQuota']['response']>;
type Asked = {
  readonly tenant?: string | undefined;
  readonly project?: string | undefined;
  readonly submitter?: string | undefined;
};

/** The account that is meant, by ids. */
interface Target {
  readonly tenant: string;
  readonly project?: string;
  readonly user?: string;
}

export function quotaHandlers({ db, wake }: ApiDeps): Handlers<'listQuotas' | 'setQuota' | 'removeQuota'> {
  return {
    listQuotas: ({ principal, query }) =>
      withSystem(db, async (tx) => ({ items: await readWire(tx, tenantOf(principal, query.tenant)) }), {
        isolation: 'repeatable read',
        readOnly: true,
      }),

    setQuota: ({ principal, body, request }) =>
      withSystem(
        db,
        async (tx) => {
          const target = await targetOf(tx, principal, body);
          const settings = settingsOf(target, body);
          // Alone first, since the table refuses some nonsense too, and says less.
          requireSense([{ id: 'it', parent: null, weight: settings.weight, quotas: settings.quotas }]);
          await setAccount(tx, settings);
          requireSense(await readAccounts(tx));
          const items = await readWire(tx, target.tenant);
          tx.afterCommit(() => wake.wake('scheduler'));
          await audit(tx, principal, request, 'quota.set', target, body);
          return items.find(
            ({ project, submitter }) => project?.id === target.project && (submitter?.id ?? undefined) === target.user,
          )!;
        },
        { idempotent: true },
      ),

    removeQuota: async ({ principal, query, request }) => {
      await withSystem(
        db,
        async (tx) => {
          const target = await targetOf(tx, principal, query);
          const { tenant, project, user } = target;
          if (!(await removeAccount(tx, tenant, project, user))) {
            throw new SolyxError('not_found', 'Nothing was set for this account.');
          }
          tx.afterCommit(() => wake.wake('scheduler'));
          await audit(tx, principal, request, 'quota.removed', target, {});
        },
        { idempotent: true },
      );
      return undefined;
    },
  };
}

const milli = (amount: number): number => Math.round(amount * 1000);

/** @throws forbidden */
function tenantOf(principal: Principal, asked: string | undefined): string {
  if (asked === undefined || asked === principal.tenant.id) return principal.tenant.id;
  if (principal.operator) return asked;
  throw new SolyxError('forbidden', 'Only operators see and set quotas of other tenants.');
}

/** @throws forbidden, not_found, quota_invalid */
async function targetOf(tx: Tx, principal: Principal, asked: Asked): Promise<Target> {
  const tenant = tenantOf(principal, asked.tenant);
  if (asked.project === undefined) {
    if (asked.submitter !== undefined) {
      throw new SolyxError('quota_invalid', 'Who submits shares within a project: name the `project` too.');
    }
    if (!principal.operator) {
      throw new SolyxError('forbidden', 'Only operators set what a tenant gets; name one of your projects.');
    }
    const { rows } = await tx.query('select from cmo_tenants where id = $1', [tenant]);
    if (rows.length === 0) throw new SolyxError('not_found', `No tenant ${tenant}.`);
    return { tenant };
  }
  const { rows } = await tx.query<{ id: string }>('select id from cmo_projects where tenant = $1 and name = $2', [
    tenant,
    asked.project,
  ]);
  const project = rows[0]?.id;
  if (project === undefined) throw new SolyxError('not_found', `No project ${asked.project}.`);
  return asked.submitter === undefined
    ? { tenant, project }
    : { tenant, project, user: await submitterOf(tx, tenant, asked.submitter) };
}

/** A user of the tenant, or a key of it; jobs of a key that a user has count for the user. */
async function submitterOf(tx: Tx, tenant: string, id: string): Promise<string> {
  const { rows } = await tx.query<{ id: string }>(
    `select cmo_submitter(id) as id from cmo_api_keys where tenant = $1 and (id = $2 or user_id = $2) limit 1`,
    [tenant, id],
  );
  const found = rows[0]?.id;
  if (found !== undefined) return found;
  const users = await tx.query('select from cmo_users where tenant = $1 and id = $2', [tenant, id]);
  if (users.rows.length > 0) return id;
  throw new SolyxError('not_found', `No user or key ${id}.`);
}

type Wish = Parameters<Handlers<'setQuota'>['setQuota']>[0]['body'];

function settingsOf(target: Target, { weight, limits, quotas, budgets }: Wish): AccountSettings {
  const kinds = budgets.map(({ kind, period }) => `${kind} a ${period}`);
  const twice = kinds.find((kind, at) => kinds.indexOf(kind) !== at);
  if (twice !== undefined) throw new SolyxError('quota_invalid', `There are two budgets for ${twice}.`);
  return {
    ...target,
    weight,
    ...(limits.runningJobs !== null && { runningJobs: limits.runningJobs }),
    ...(limits.devices !== null && { devices: milli(limits.devices) }),
    quotas: quotas.map(({ resource, guaranteed, borrowLimit }) => ({
      resource,
      guaranteed: milli(guaranteed),
      borrowLimit: borrowLimit === null ? null : milli(borrowLimit),
    })),
    budgets: budgets.map((budget) => ({
      kind: budget.kind,
      period: budget.period,
      stops: budget.onExhausted === 'stop',
      amount: budget.kind === 'usd' ? Number(parseUsd(budget.limitUsd)) : milli(budget.limitKwh),
    })),
  };
}

function wireBudget({ kind, period, amount, stops, spent, until }: AccountView['budgets'][number]) {
  const onExhausted = stops ? ('stop' as const) : ('wait' as const);
  const renewsAt = new Date(until).toISOString();
  return kind === 'usd'
    ? { kind, period, onExhausted, renewsAt, limitUsd: usdOf(amount), spentUsd: usdOf(spent) }
    : { kind, period, onExhausted, renewsAt, limitKwh: amount / 1000, spentKwh: spent / 1000 };
}

const usdOf = (micro: number): string => formatUsd(microUsd(BigInt(Math.round(micro))));

/** All accounts together must make sense, because rounds use them together. @throws quota_invalid */
function requireSense(accounts: Parameters<typeof checkAccounts>[0]): void {
  try {
    checkAccounts(accounts);
  } catch (error) {
    if (error instanceof InvalidAccountsError) throw new SolyxError('quota_invalid', error.message);
    throw error;
  }
}

async function audit(
  tx: Tx,
  principal: Principal,
  request: { readonly ip: string; readonly id: string },
  action: string,
  { tenant, project, user }: Target,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  const subject = [tenant, project, user].filter((part) => part !== undefined).join('/');
  await recordAudit(tx, { principal, request, tenant: principal.tenant.id, action, subject, data });
}

async function readWire(tx: Tx, tenant: string): Promise<WireAccount[]> {
  const accounts = await listAccounts(tx, tenant);
  const totals = await readFleetTotals(tx);
  const ids = accounts.flatMap(({ project, submitter }) => [project ?? [], submitter ?? []].flat());
  const { rows } = await tx.query<{ id: string; name: string }>(
    `select id, name from cmo_projects where id = any($1::text[])
     union all select id, name from cmo_users where id = any($1::text[])
     union all select id, name from cmo_api_keys where id = any($1::text[])`,
    [ids],
  );
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  const named = (id: string | null) => (id === null ? null : { id, name: names.get(id) ?? id });
  return accounts.map((account) => ({
    project: named(account.project),
    submitter: named(account.submitter),
    declared: account.declared,
    weight: account.weight,
    quotas: account.quotas.map(({ resource, guaranteed, borrowLimit }) => ({
      resource,
      guaranteed: guaranteed / 1000,
      borrowLimit: borrowLimit === null ? null : borrowLimit / 1000,
    })),
    budgets: account.budgets.map(wireBudget),
    limits: { runningJobs: account.runningJobs, devices: account.devices === null ? null : account.devices / 1000 },
    uses: {
      jobs: account.held.jobs,
      cpu: account.held.cpu / 1000,
      memoryBytes: account.held.memory,
      gpu: account.held.gpu / 1000,
      tpu: account.held.tpu / 1000,
      fpga: account.held.fpga / 1000,
    },
    share: shareOf(account.held, totals),
    pastDeviceHours: account.pastDeviceMilliSeconds / 3_600_000,
  }));
}

/** The largest part of the fleet's cores or devices. */
function shareOf(
  { cpu, gpu, tpu, fpga }: AccountView['held'],
  totals: Awaited<ReturnType<typeof readFleetTotals>>,
): number {
  const part = (held: number, all: number) => (all > 0 ? held / all : 0);
  return Math.max(part(cpu, totals.cpuMilli), part(gpu + tpu + fpga, totals.deviceMilli));
}
