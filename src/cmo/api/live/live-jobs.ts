/** Jobs as live lists show them: the row, and its summary as JSON, made once for all who get it. */
import type { JobSummary } from '../../../common/contract/live.ts';
import type { Queryable } from '../../../common/database/queryable.ts';
import type { JobRow } from '../../jobs/index.ts';
import { toJobSummary } from '../jobs/wire.ts';

type NamedRow = JobRow & { project_name: string };

export class LiveJob {
  readonly row: NamedRow;
  #summary: JobSummary | undefined;
  #json: string | undefined;

  constructor(row: NamedRow) {
    this.row = row;
  }

  get summary(): JobSummary {
    this.#summary ??= toJobSummary(this.row, new Map([[this.row.project, this.row.project_name]]));
    return this.#summary;
  }

  get json(): string {
    this.#json ??= JSON.stringify(this.summary);
    return this.#json;
  }
}

/** Rows a statement. */
const chunk = 1_000;

/** Reads jobs by id, whoever's they are: for the feed, which hands each to its tenant. */
export async function readLiveJobs(db: Queryable, ids: readonly string[]): Promise<LiveJob[]> {
  const jobs: LiveJob[] = [];
  for (let from = 0; from < ids.length; from += chunk) {
    const { rows } = await db.query<NamedRow>(
      `select j.*, p.name as project_name from cmo_jobs j join cmo_projects p on p.tenant = j.tenant and p.id = j.project
       where j.id = any($1::text[])`,
      [ids.slice(from, from + chunk)],
    );
    for (const row of rows) jobs.push(new LiveJob(row));
  }
  return jobs;
}
