/**
 * Accounts: who shares the fleet. Tenants, their projects, and the users of those, as a tree of rows.
 *
 * A tenant is an account even without a row, with weight 1. Projects of a tenant share among themselves only when one of them has a row,
 * and users of a project only when one of them has: so who sets nothing keeps one queue.
 */
import type { QuotaRow, SpendingLimits } from '../quota/quota.ts';

/** Use of the past, halved every half-life: resource-seconds by index of `resourceNames`. */
export interface PastUse {
  readonly amounts: readonly number[];
  /** When they were as large as that, epoch milliseconds. */
  readonly at: number;
}

export interface AccountRow {
  /** `accountId(tenant, project?, user?)`, or any other name for what stands above tenants. */
  readonly id: string;
  /** The account that it is part of; null: the whole fleet. */
  readonly parent: string | null;
  /** Its part of what its siblings share, > 0; 1 is the default. */
  readonly weight: number;
  readonly past?: PastUse;
  readonly quotas?: readonly QuotaRow[];
  readonly limits?: SpendingLimits;
}

/** Whom a job belongs to. */
export interface Owner {
  readonly tenant: string;
  readonly project: string;
  /** Who submitted it; empty when unknown. */
  readonly user?: string;
}

/** Names of accounts: `tenant`, `tenant/project`, `tenant/project/user`. Ids of tenants and projects contain no slash. */
export const accountId = (tenant: string, project?: string, user?: string): string =>
  [tenant, project, user].filter((part) => part !== undefined).join('/');

/** The rows as a tree. Rows must have passed `checkAccounts`. */
export class AccountTree {
  readonly #rows: ReadonlyMap<string, AccountRow>;
  /** Accounts whose parts share among themselves. */
  readonly #divided = new Set<string>();

  /** What decides which account a job belongs to: equal texts, equal accounts. */
  readonly divisions: string;

  constructor(rows: readonly AccountRow[]) {
    this.#rows = new Map(rows.map((row) => [row.id, row]));
    for (const { parent } of rows) if (parent !== null) this.#divided.add(parent);
    this.divisions = [...this.#divided].sort().join(' ');
  }

  row(id: string): AccountRow | undefined {
    return this.#rows.get(id);
  }

  /** The account above; that of a project or user without a row is in its name. */
  parentOf(id: string): string | null {
    const row = this.#rows.get(id);
    if (row !== undefined) return row.parent;
    const slash = id.lastIndexOf('/');
    return slash < 0 ? null : id.slice(0, slash);
  }

  /** The account that a job's use counts for, and through it for those above. */
  leafOf({ tenant, project, user = '' }: Owner): string {
    const ofProject = accountId(tenant, project);
    if (this.#divided.has(ofProject)) return accountId(tenant, project, user);
    return this.#divided.has(tenant) ? ofProject : tenant;
  }
}
