/** What is told: the JSON that a web-hook carries and an e-mail is made of. Made once, when the thing happened. */

export const notifiedEvents = ['finished', 'failed', 'cancelled', 'stuck'] as const;
export type NotifiedEvent = (typeof notifiedEvents)[number];

/** A job as the queries of this folder read it. */
export interface ToldJobRow {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly project: string;
  readonly project_name: string;
  readonly state: string;
  readonly reason: string | null;
  readonly exit_code: number | null;
  readonly submitted_at: Date;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
}

/** Columns of `ToldJobRow` of `cmo_jobs j` joined with `cmo_projects p`. */
export const toldColumns = `j.id, j.tenant, j.name, j.project, p.name as project_name, j.state, j.reason, j.exit_code,
  j.submitted_at, j.started_at, j.ended_at`;

export interface Told {
  readonly event: NotifiedEvent | 'test';
  /** When it happened, ISO 8601 UTC. */
  readonly at: string;
  readonly tenant: string;
  readonly project: { readonly id: string; readonly name: string };
  readonly job: {
    readonly id: string;
    readonly name: string;
    readonly state: string;
    readonly reason: string | null;
    readonly exitCode: number | null;
    readonly submittedAt: string | null;
    readonly startedAt: string | null;
    readonly endedAt: string | null;
  };
  /** Only with `stuck`. */
  readonly stuck?: { readonly since: string; readonly why: string };
  /** The job's page, where the server knows its own address. */
  readonly url?: string;
}

/** @param publicUrl `server.publicUrl` */
export function toldOf(
  row: ToldJobRow,
  what: Pick<Told, 'event' | 'at' | 'stuck'>,
  publicUrl: string | undefined,
): Told {
  return {
    event: what.event,
    at: what.at,
    tenant: row.tenant,
    project: { id: row.project, name: row.project_name },
    job: {
      id: row.id,
      name: row.name,
      state: row.state,
      reason: row.reason,
      exitCode: row.exit_code,
      submittedAt: row.submitted_at.toISOString(),
      startedAt: row.started_at?.toISOString() ?? null,
      endedAt: row.ended_at?.toISOString() ?? null,
    },
    ...(what.stuck && { stuck: what.stuck }),
    ...(publicUrl !== undefined && { url: `${publicUrl.replace(/\/+$/, '')}/jobs/${row.id}` }),
  };
}

/** What a test of a channel tells: a job that does not exist, so that nobody mistakes it. */
export function testOf(tenant: string, project: { id: string; name: string }, at: Date): Told {
  return {
    event: 'test',
    at: at.toISOString(),
    tenant,
    project,
    job: {
      id: 'job_test',
      name: 'a-test',
      state: 'succeeded',
      reason: null,
      exitCode: 0,
      submittedAt: null,
      startedAt: null,
      endedAt: null,
    },
  };
}
