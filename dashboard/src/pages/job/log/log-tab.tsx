/** The log of a job: which attempt and rank, search, follow, download, and the address of a line. */
import { Button, Checkbox, NumberInput, Select, TextInput } from '@mantine/core';
import '../../../ui/inputs.css';
import '../../../ui/overlays.css';
import '@mantine/core/styles/NumberInput.layer.css';
import { useLocation, useNavigate } from '@tanstack/react-router';
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { JobDetail } from '../../../api/contract.ts';
import { asProblem } from '../../../api/problem.ts';
import type { Search } from '../../../app/search.ts';
import { useLive, useLiveStatus } from '../../../live/hooks.ts';
import { formatNumber } from '../../../ui/format.ts';
import { ProblemText } from '../../../ui/problem-text.tsx';
import { Time } from '../../../ui/time.tsx';
import { lineFragment, parseLineFragment } from './line-link.ts';
import classes from './log.module.css';
import { LogFeed } from './log-feed.ts';
import { nextMatch } from './log-search.ts';
import { CopyLink, Download, Liveness } from './log-tools.tsx';
import { LogView } from './log-view.tsx';
import { useLogSearch } from './use-search.ts';

export function Tab({ job }: { readonly job: JobDetail }) {
  const { hash } = useLocation();
  const linked = parseLineFragment(hash);
  const [chosen, setChosen] = useState<{ attempt: number | null; rank: number }>(() => ({
    attempt: linked?.attempt ?? null,
    rank: linked?.rank ?? 0,
  }));
  const newest = job.attempts.at(-1);
  const attempt = job.attempts.find(({ number }) => number === chosen.attempt) ?? newest;
  if (attempt === undefined) {
    return (
      <p className={classes.empty}>
        {job.pending === null
          ? 'It never ran, so it printed nothing.'
          : 'Nothing yet: what the job prints appears here from its first line on, as soon as it starts.'}
      </p>
    );
  }
  const ranks = Math.max(1, attempt.ranks.length);
  const rank = Math.min(chosen.rank, ranks - 1);
  return (
    <>
      {(job.attempts.length > 1 || ranks > 1) && (
        <div className={classes.bar}>
          {job.attempts.length > 1 && (
            <Select
              size="xs"
              label="Attempt"
              allowDeselect={false}
              value={chosen.attempt === null ? '' : String(attempt.number)}
              onChange={(value) => setChosen({ attempt: value ? Number(value) : null, rank })}
              data={[
                { value: '', label: `Newest (${newest?.number})` },
                ...job.attempts.map(({ number, outcome }) => ({
                  value: String(number),
                  label: `Attempt ${number}${outcome === null ? '' : `, ${outcome}`}`,
                })),
              ]}
            />
          )}
          {ranks > 1 && (
            <NumberInput
              size="xs"
              label={`Rank, 0–${ranks - 1}`}
              w={110}
              min={0}
              max={ranks - 1}
              allowDecimal={false}
              clampBehavior="strict"
              value={rank}
              onChange={(value) => typeof value === 'number' && setChosen({ attempt: chosen.attempt, rank: value })}
            />
          )}
        </div>
      )}
      <RankLog
        key={`${attempt.id} ${rank}`}
        job={job}
        attempt={attempt.number}
        rank={rank}
        linkedLine={linked?.attempt === attempt.number && linked.rank === rank ? linked.line : null}
      />
    </>
  );
}

interface RankLogProps {
  readonly job: JobDetail;
  readonly attempt: number;
  readonly rank: number;
  readonly linkedLine: number | null;
}

function RankLog({ job, attempt, rank, linkedLine }: RankLogProps) {
  const [feed] = useState(() => new LogFeed({ jobId: job.id, attempt, rank }));
  useSyncExternalStore(feed.subscribe, feed.version);
  const started = useRef(false);
  useEffect(() => {
    if (!started.current) feed.start();
    started.current = true;
    return () => feed.stop();
  }, [feed]);
  const live = useLiveStatus();
  feed.isLive = live.state === 'live';
  useLive(
    feed.isOpen ? `job/${job.id}/logs` : null,
    { attempt, rank, tail: 200 },
    { onSnapshot: feed.take, onDelta: feed.take },
  );
  const [follow, setFollow] = useState(linkedLine === null);
  const [words, setWords] = useState('');
  const [times, setTimes] = useState(false);
  const [selected, setSelected] = useState(linkedLine);
  const [goTo, setGoTo] = useState<{ line: number } | null>(null);
  const search = useLogSearch(feed, words);
  const navigate = useNavigate();

  const known = feed.buffer.lineCount;
  const reached = linkedLine !== null && known > linkedLine;
  // The line of the address is shown as soon as the log is known to reach it.
  useEffect(() => {
    if (linkedLine === null || !reached) return;
    setSelected(linkedLine);
    setGoTo({ line: linkedLine });
  }, [linkedLine, reached]);

  const select = useCallback(
    (line: number) => {
      setSelected(line);
      void navigate({
        to: '.',
        search: (now: Search) => ({ ...now, tab: 'logs' }),
        hash: lineFragment({ attempt, rank, line }).slice(1),
        replace: true,
        resetScroll: false,
        hashScrollIntoView: false,
      });
    },
    [navigate, attempt, rank],
  );
  const show = (line: number) => {
    select(line);
    setGoTo({ line });
  };
  const step = (direction: 1 | -1) => {
    const matches = search?.matches ?? [];
    const index = nextMatch(matches, selected ?? -1, direction);
    if (index >= 0) show(matches[index]!);
  };

  if (feed.state.kind === 'removed') {
    return (
      <p className={classes.empty}>
        This log was deleted for its age <Time at={feed.state.at} />; the operator chooses how long logs are kept.
      </p>
    );
  }
  if (feed.state.kind === 'failed') return <ProblemText problem={asProblem(feed.state.error)} />;
  return (
    <>
      <div className={classes.bar}>
        <TextInput
          className={classes.grow}
          size="xs"
          label="Search in the whole log"
          value={words}
          onChange={(event) => setWords(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            event.preventDefault();
            step(event.shiftKey ? -1 : 1);
          }}
        />
        <Button.Group>
          <Button size="xs" variant="default" disabled={!search?.matches.length} onClick={() => step(-1)}>
            Previous
          </Button>
          <Button size="xs" variant="default" disabled={!search?.matches.length} onClick={() => step(1)}>
            Next
          </Button>
        </Button.Group>
        <NumberInput
          size="xs"
          label="Go to line"
          w={110}
          min={1}
          hideControls
          allowDecimal={false}
          value={selected === null ? '' : selected + 1}
          onChange={(value) => typeof value === 'number' && value >= 1 && value <= known && show(value - 1)}
        />
        {feed.isOpen && (
          <Button
            size="xs"
            variant={follow ? 'light' : 'default'}
            aria-pressed={follow}
            onClick={() => setFollow(!follow)}
          >
            Follow
          </Button>
        )}
        <Download job={job} feed={feed} attempt={attempt} rank={rank} />
      </div>
      <div className={classes.matches}>
        <span role="status">
          {search === undefined
            ? `${formatNumber(known)} lines`
            : searchText(search.matches.length, search.searched, known, search.cut)}
        </span>
        <Checkbox
          size="xs"
          label="Times (UTC)"
          checked={times}
          onChange={(event) => setTimes(event.currentTarget.checked)}
        />
        {selected !== null && <CopyLink attempt={attempt} rank={rank} line={selected} />}
        <Liveness feed={feed} live={live} />
      </div>
      {known === 0 ? (
        <p className={classes.empty}>
          {feed.state.kind === 'complete' ? 'It printed nothing.' : 'It has printed nothing so far.'}
        </p>
      ) : (
        <LogView
          feed={feed}
          label={`Log of attempt ${attempt}${rank > 0 ? `, rank ${rank}` : ''}`}
          follow={follow}
          onFollow={setFollow}
          words={search?.words ?? ''}
          times={times}
          selected={selected}
          onSelect={select}
          goTo={goTo}
        />
      )}
    </>
  );
}

function searchText(matches: number, searched: number, known: number, cut: boolean): string {
  const found = `${formatNumber(matches)}${cut ? ' or more' : ''} matching ${matches === 1 ? 'line' : 'lines'}`;
  return searched >= known || cut
    ? found
    : `${found}, searched ${formatNumber(searched)} of ${formatNumber(known)} lines`;
}
