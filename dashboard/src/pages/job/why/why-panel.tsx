/** *Why here?*: the candidates with the terms of their scores and the rejections, or why the job waits. */
import { Select } from '@mantine/core';
import '../../../ui/inputs.css';
import '../../../ui/overlays.css';
import { useState } from 'react';
import type { JobDetail } from '../../../api/contract.ts';
import { formatNumber } from '../../../ui/format.ts';
import { Duration, Time } from '../../../ui/time.tsx';
import facts from '../facts/facts.module.css';
import { shortId } from '../facts/facts-panel.tsx';
import { useNodeNames, useSiteNames } from '../use-job.ts';
import classes from './why.module.css';
import { type Explanation, pendingTitle, type RejectionRow, readExplanation, readRejections } from './why.ts';

export function WhyPanel({ job }: { readonly job: JobDetail }) {
  const decided = job.attempts.filter(({ explanation }) => explanation !== null);
  const [chosen, setChosen] = useState<string | null>(null);
  const waits = job.pending !== null;
  const attempt = decided.find(({ id }) => id === chosen) ?? decided.at(-1);
  return (
    <section className={facts.panel} aria-labelledby="why">
      <header className={classes.head}>
        <h2 id="why">{waits && chosen === null ? 'Why does it wait?' : 'Why here?'}</h2>
        {decided.length + (waits ? 1 : 0) > 1 && (
          <Select
            size="xs"
            w={160}
            aria-label="Decision"
            allowDeselect={false}
            value={chosen ?? (waits ? '' : (attempt?.id ?? ''))}
            onChange={(value) => setChosen(value || null)}
            data={[
              ...(waits ? [{ value: '', label: 'Now' }] : []),
              ...decided.map(({ id, number }) => ({ value: id, label: `Attempt ${number}` })).reverse(),
            ]}
          />
        )}
      </header>
      {waits && chosen === null ? (
        <Waiting job={job} />
      ) : attempt?.explanation ? (
        <Here explanation={attempt.explanation} nodes={attempt.ranks.length} />
      ) : (
        <p className={classes.dim}>
          It was never placed: it ended while it waited. What the scheduler would have weighed is stored with each
          placement.
        </p>
      )}
    </section>
  );
}

function Waiting({ job }: { readonly job: JobDetail }) {
  const { pending } = job;
  if (pending === null) return null;
  const rejections = readRejections(pending.rejections);
  return (
    <>
      <p className={classes.lead}>
        <strong>{pendingTitle(pending.reason)}.</strong> {pending.message}
      </p>
      {pending.expectedAt !== null && (
        <p className={classes.lead}>
          Expected to start <Time at={pending.expectedAt} />.
        </p>
      )}
      {pending.deferredUntil !== null && (
        <p className={classes.lead}>
          Looked at again <Time at={pending.deferredUntil} />.
        </p>
      )}
      <Rejections rows={rejections} title="What the nodes lack" />
      <p className={classes.dim}>
        Waiting for <Duration from={job.submittedAt} />. When the answer changes, it changes here.
      </p>
    </>
  );
}

function Here({ explanation, nodes }: { readonly explanation: Explanation; readonly nodes: number }) {
  const why = readExplanation(explanation, nodes);
  const nodeNames = useNodeNames();
  const siteNames = useSiteNames();
  const fitted = explanation.feasibleCount;
  return (
    <>
      <p className={classes.lead}>
        {fitted === 1
          ? 'One node fitted and was '
          : `${formatNumber(fitted)} nodes fitted; the best ${nodes === 1 ? 'was ' : `${nodes} were `}`}
        taken. Decided by <code>{explanation.policy}</code> in round {explanation.round},{' '}
        <Time at={explanation.decidedAt} />.
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reached by keyboard */}
      <section className={classes.scroll} tabIndex={0} aria-label="Candidates">
        <table className={classes.table}>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">Site</th>
              <th scope="col" className={classes.number} title="Lower is better">
                Score
              </th>
              {why.columns.map(({ name, label, unit }) => (
                <th key={`${name} ${unit}`} scope="col" className={classes.number}>
                  {label}
                  <span className={classes.unit}>{unit}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {why.rows.map((row) => (
              <tr key={row.nodeId} data-chosen={row.chosen}>
                <th scope="row" title={row.nodeId}>
                  {nodeNames.get(row.nodeId) ?? shortId(row.nodeId)}
                  {row.chosen && <span className={classes.chosen}>chosen</span>}
                </th>
                <td title={row.siteId}>{siteNames.get(row.siteId) ?? shortId(row.siteId)}</td>
                <td className={classes.number} title={String(row.score)}>
                  {formatNumber(row.score)}
                </td>
                {row.values.map((value, index) => (
                  <td
                    key={why.columns[index]!.name + why.columns[index]!.unit}
                    className={classes.number}
                    title={value === null ? 'has no such term' : `${value} ${why.columns[index]!.unit}`}
                  >
                    {value === null ? '–' : formatNumber(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {why.unlisted > 0 && (
        <p className={classes.dim}>
          {formatNumber(why.unlisted)} more fitted with a worse score; the best 20 are kept with the decision.
        </p>
      )}
      <Rejections rows={why.rejections} title="Refused" />
    </>
  );
}

function Rejections({ rows, title }: { readonly rows: readonly RejectionRow[]; readonly title: string }) {
  if (rows.length === 0) return null;
  return (
    <>
      <h3 className={classes.subtitle}>{title}</h3>
      <ul className={classes.rejections}>
        {rows.map(({ code, count, words }) => (
          <li key={code} title={`${count} by ${code}`}>
            <strong>{formatNumber(count)}</strong> {count === 1 ? 'node' : 'nodes'} {words}
          </li>
        ))}
      </ul>
    </>
  );
}
