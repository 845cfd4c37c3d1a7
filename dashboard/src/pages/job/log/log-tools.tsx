/** What stands above a log beside its search: whether it is live, the address of a line, the download. */
import { Button } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import type { JobDetail } from '../../../api/contract.ts';
import { asProblem } from '../../../api/problem.ts';
import type { LiveStatus } from '../../../live/status.ts';
import { writeClipboard } from '../../../ui/copy-id.tsx';
import { formatNumber } from '../../../ui/format.ts';
import { StateMark } from '../../../ui/state-mark.tsx';
import { downloadLog } from './download.ts';
import { lineFragment } from './line-link.ts';
import type { LogFeed } from './log-feed.ts';

/** Whether new lines come by themselves. */
export function Liveness({ feed, live }: { readonly feed: LogFeed; readonly live: LiveStatus }) {
  if (feed.state.kind === 'complete') return <StateMark tone="succeeded">complete</StateMark>;
  if (live.state === 'live') return <StateMark tone="running">live</StateMark>;
  return (
    <StateMark tone="unknown" title={live.why ?? undefined}>
      {live.state === 'connecting' ? 'connecting' : 'not live, asked every few seconds'}
    </StateMark>
  );
}

/** Copies the address of a line. */
export function CopyLink({
  attempt,
  rank,
  line,
}: {
  readonly attempt: number;
  readonly rank: number;
  readonly line: number;
}) {
  const [said, setSaid] = useState('');
  const copy = async () => {
    const address = new URL(location.href);
    address.searchParams.set('tab', 'logs');
    address.hash = lineFragment({ attempt, rank, line });
    setSaid((await writeClipboard(address.href)) ? ' copied' : ' copying was refused');
    setTimeout(() => setSaid(''), 1_500);
  };
  return (
    <Button size="compact-xs" variant="subtle" onClick={copy}>
      Copy link to line {line + 1}
      <span role="status">{said}</span>
    </Button>
  );
}

interface DownloadProps {
  readonly job: JobDetail;
  readonly feed: LogFeed;
  readonly attempt: number;
  readonly rank: number;
}

/** Saves the whole log; it can be stopped. */
export function Download({ job, feed, attempt, rank }: DownloadProps) {
  const [lines, setLines] = useState<number | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const save = async () => {
    const controller = new AbortController();
    running.current = controller;
    setLines(0);
    setFailure(null);
    try {
      const name = `${job.name}-${job.id}-${attempt}${rank > 0 ? `-${rank}` : ''}.log`;
      await downloadLog(feed, name, setLines, controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) setFailure(asProblem(error).message);
    } finally {
      setLines(null);
    }
  };
  return (
    <>
      {lines === null ? (
        <Button size="xs" variant="default" onClick={save}>
          Download
        </Button>
      ) : (
        <Button size="xs" variant="default" onClick={() => running.current?.abort()}>
          Stop, {formatNumber(lines)} lines
        </Button>
      )}
      {failure !== null && <span role="alert">{failure}</span>}
    </>
  );
}
