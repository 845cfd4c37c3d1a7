/** Every state of a job with its duration, and who or what caused it. */
import type { JobDetail } from '../../../api/contract.ts';
import { useNow } from '../../../ui/clock.ts';
import { CopyId } from '../../../ui/copy-id.tsx';
import { formatDuration } from '../../../ui/format.ts';
import { jobTones, StateMark, type Tone } from '../../../ui/state-mark.tsx';
import { Seconds, Time } from '../../../ui/time.tsx';
import facts from '../facts/facts.module.css';
import { shortId } from '../facts/facts-panel.tsx';
import { usePersonName } from '../use-job.ts';
import classes from './timeline.module.css';
import { buildTimeline, type Cause, phaseSeconds, type TimelinePhase } from './timeline.ts';

export function TimelinePanel({ job }: { readonly job: JobDetail }) {
  const { phases, cut } = buildTimeline(job);
  const now = useNow();
  const total = phases.reduce((sum, phase) => sum + (phaseSeconds(phase, now) ?? 0), 0);
  return (
    <section className={facts.panel} aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      {cut && (
        <p className={classes.cut}>
          Only the newest {job.timeline.length} events are shown here; the Events tab has all that are kept.
        </p>
      )}
      <Bar phases={phases} now={now} total={total} />
      <ol className={classes.list}>
        {phases.map((phase) => (
          <Phase key={phase.id} phase={phase} now={now} />
        ))}
      </ol>
    </section>
  );
}

const toneOf = (state: string): Tone => jobTones[state as keyof typeof jobTones] ?? 'unknown';

/** The shares of time at a glance; the list below says the same in words. */
function Bar({
  phases,
  now,
  total,
}: {
  readonly phases: readonly TimelinePhase[];
  readonly now: number;
  readonly total: number;
}) {
  if (total <= 0) return null;
  return (
    <div className={classes.bar} aria-hidden="true">
      {phases.map((phase) => {
        const seconds = phaseSeconds(phase, now);
        if (seconds === null || seconds === 0) return null;
        const style = { flexGrow: seconds / total, background: `var(--state-${toneOf(phase.state)})` };
        return <span key={phase.id} style={style} title={`${phase.state}: ${formatDuration(seconds)}`} />;
      })}
    </div>
  );
}

function Phase({ phase, now }: { readonly phase: TimelinePhase; readonly now: number }) {
  const seconds = phaseSeconds(phase, now);
  return (
    <li className={classes.phase}>
      <div className={classes.head}>
        <StateMark tone={toneOf(phase.state)}>{phase.state}</StateMark>
        <span className={classes.when}>
          <Time at={phase.at} />
        </span>
        <span className={classes.duration}>
          {seconds !== null && <Seconds value={phase.endedAt === null ? Math.floor(seconds) : seconds} />}
        </span>
      </div>
      <p className={classes.cause}>
        <By cause={phase.cause} />
        {phase.attempt !== null && `, attempt ${phase.attempt}`}
        {phase.detail !== null && <>. {phase.detail}</>}
      </p>
      {phase.notes.length > 0 && (
        <ul className={classes.notes}>
          {phase.notes.map((note) => (
            <li key={note.id}>
              <span>{note.title}</span>
              {note.detail !== null && <span className={classes.detail}>{note.detail}</span>}
              <span className={classes.when}>
                <Time at={note.at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

export function By({ cause }: { readonly cause: Cause }) {
  const nameOf = usePersonName();
  if (cause.kind === 'unknown') return <>By Solyx</>;
  if (cause.kind === 'solyx') return <>By the {cause.part}</>;
  const name = nameOf(cause.id);
  return <>By {name === cause.id ? <CopyId id={cause.id} label={shortId(cause.id)} /> : name}</>;
}
