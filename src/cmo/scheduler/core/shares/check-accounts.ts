/** Whether accounts make sense. They come from people, so what is wrong is named and nothing is planned on it. */
import { budgetPeriods, spendingKinds } from '../quota/budget.ts';
import type { QuotaRow, SpendingLimits } from '../quota/quota.ts';
import type { Snapshot } from '../snapshot.ts';
import { type AccountRow, AccountTree } from './account.ts';
import { resourceNames } from './resources.ts';

export type AccountFault = 'cycle' | 'weight' | 'number' | 'parent' | 'twice' | 'class';

export class InvalidAccountsError extends RangeError {
  override readonly name = 'InvalidAccountsError';
  readonly code: AccountFault;
  readonly account: string;

  constructor(code: AccountFault, account: string, message: string) {
    super(message);
    this.code = code;
    this.account = account;
  }
}

/** @throws InvalidAccountsError naming the first account that is wrong and what would be right */
export function checkAccounts(rows: readonly AccountRow[]): void {
  const byId = new Map<string, AccountRow>();
  for (const row of rows) {
    if (byId.has(row.id)) throw new InvalidAccountsError('twice', row.id, `account ${row.id} is given twice`);
    byId.set(row.id, row);
    checkRow(row);
  }
  for (const row of rows) checkParents(row, byId);
}

const noRows: readonly AccountRow[] = [];
const trees = new WeakMap<readonly AccountRow[], AccountTree>();

/** The tree of a snapshot's accounts: checked and made once for each list of rows. @throws InvalidAccountsError */
export function accountsOf({ accounts = noRows }: Pick<Snapshot, 'accounts'>): AccountTree {
  const known = trees.get(accounts);
  if (known !== undefined) return known;
  checkAccounts(accounts);
  const tree = new AccountTree(accounts);
  trees.set(accounts, tree);
  return tree;
}

function checkRow(row: AccountRow): void {
  const fail = (code: AccountFault, what: string): never => {
    throw new InvalidAccountsError(code, row.id, `account ${row.id}: ${what}`);
  };
  if (!(row.weight > 0 && row.weight < Number.POSITIVE_INFINITY)) {
    fail('weight', `weight must be a number above 0, not ${row.weight}`);
  }
  if (row.past !== undefined) {
    const { amounts, at } = row.past;
    const isWhole = amounts.length === resourceNames.length && amounts.every((amount) => amount >= 0);
    if (!isWhole || !Number.isFinite(amounts.reduce((sum, amount) => sum + amount, 0))) {
      fail('number', `past use must be ${resourceNames.length} amounts of 0 or more, not ${amounts.join(', ')}`);
    }
    if (!Number.isFinite(at)) fail('number', `the time of its past use must be epoch milliseconds, not ${at}`);
  }
  checkQuotas(row.quotas ?? [], fail);
  checkLimits(row.limits ?? {}, fail);
}

type Fail = (code: AccountFault, what: string) => never;

function checkQuotas(quotas: readonly QuotaRow[], fail: Fail): void {
  const seen = new Set<string>();
  for (const { resource, guaranteed, borrowLimit } of quotas) {
    if (!/^(cpu|(gpu|tpu|fpga)(\/.+)?)$/.test(resource)) {
      fail('class', `a quota is for cpu, gpu, tpu, fpga or one model like gpu/H100, not for ${resource}`);
    }
    const key = resource.toLowerCase();
    if (seen.has(key)) fail('twice', `it has two quotas for ${resource}`);
    seen.add(key);
    if (!(guaranteed >= 0 && guaranteed < Number.POSITIVE_INFINITY)) {
      fail('number', `the guaranteed ${resource} must be 0 or more, not ${guaranteed}`);
    }
    if (borrowLimit !== null && !(borrowLimit >= 0)) {
      fail('number', `the borrowing limit of ${resource} must be 0 or more, or null for none, not ${borrowLimit}`);
    }
  }
}

function checkLimits(limits: SpendingLimits, fail: Fail): void {
  for (const name of ['runningJobs', 'devices'] as const) {
    const limit = limits[name];
    if (limit !== undefined && !(limit >= 0)) fail('number', `the limit of ${name} must be 0 or more, not ${limit}`);
  }
  for (const { kind, period, limit, spent, until } of limits.budgets ?? []) {
    if (!spendingKinds.includes(kind)) fail('number', `a budget is of ${spendingKinds.join(', ')}, not of ${kind}`);
    if (!budgetPeriods.includes(period)) fail('number', `a budget is for a day or a month, not for ${period}`);
    if (!(limit >= 0)) fail('number', `the limit of ${kind} must be 0 or more, not ${limit}`);
    if (!(spent >= 0)) fail('number', `what is spent of ${kind} must be 0 or more, not ${spent}`);
    if (!Number.isFinite(until)) fail('number', `the end of a period must be epoch milliseconds, not ${until}`);
  }
}

function checkParents(row: AccountRow, byId: ReadonlyMap<string, AccountRow>): void {
  const above = new Set([row.id]);
  for (let id = row.parent; id !== null; id = byId.get(id)?.parent ?? null) {
    if (above.has(id)) {
      throw new InvalidAccountsError('cycle', row.id, `account ${row.id} is part of itself, by way of ${id}`);
    }
    above.add(id);
    // Tenants and projects need no row to have parts; nothing else does without.
    if (!byId.has(id) && !row.id.startsWith(`${id}/`)) {
      throw new InvalidAccountsError('parent', row.id, `account ${row.id} is part of ${id}, which is not given`);
    }
  }
}
