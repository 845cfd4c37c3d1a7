/** Whether something moves in an attempt: a text that changes with every log line and every batch of metrics that came in. */
import type { Queryable } from '../../common/database/queryable.ts';

/** @returns by attempt id; attempts of which nothing came yet are left out */
export async function progressMarks(db: Queryable, attemptIds: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await db.query<{ attempt_id: string; mark: string }>(
    `select attempt_id, sum(lines)::text || ' ' || sum(batches)::text as mark
     from (
       select attempt_id, next_line as lines, 0 as batches from metapod_log_streams where attempt_id = any($1::text[])
       union all
       select attempt_id, 0, next_batch from metapod_metric_streams where attempt_id = any($1::text[])
     ) as streams group by attempt_id`,
    [[...attemptIds]],
  );
  return new Map(rows.map(({ attempt_id, mark }) => [attempt_id, mark]));
}
