/** The screen of one session: xterm.js, as large as its place, joined with the shell. */
import { useComputedColorScheme } from '@mantine/core';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { useEffect, useRef } from 'react';
import { request } from '../../../api/request.ts';
import { allowTerminalStyles } from './policy-styles.ts';
import { type ShellEnd, ShellSession } from './shell-session.ts';
import classes from './terminal.module.css';
import { terminalTheme } from './theme.ts';

export type ScreenState = 'connecting' | 'open';

interface ScreenProps {
  readonly jobId: string;
  readonly rank: number;
  /** False: the session is closed, what it showed stays. */
  readonly isOpen: boolean;
  readonly forReaders: boolean;
  readonly onState: (state: ScreenState) => void;
  readonly onEnd: (end: ShellEnd) => void;
  /** The keys out of the terminal were pressed. */
  readonly onLeave: () => void;
}

export function Screen(props: ScreenProps) {
  const { jobId, rank, isOpen, forReaders } = props;
  const host = useRef<HTMLDivElement>(null);
  const parts = useRef<{ terminal: Terminal; session: ShellSession }>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const scheme = useComputedColorScheme();

  useEffect(() => {
    const place = host.current!;
    const forbidStyles = allowTerminalStyles();
    const terminal = new Terminal({
      fontFamily: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
      fontSize: 13,
      scrollback: 5_000,
      // What the job prints keeps the contrast that people need, whatever colours it chose.
      minimumContrastRatio: 4.5,
      screenReaderMode: latest.current.forReaders,
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(place);
    terminal.attachCustomKeyEventHandler((event) => {
      const leaves = event.ctrlKey && event.shiftKey && event.code === 'KeyX';
      if (leaves && event.type === 'keydown') {
        event.preventDefault();
        latest.current.onLeave();
      }
      return !leaves;
    });
    fit.fit();
    const session = new ShellSession({
      jobId,
      rank,
      size: { columns: terminal.cols, rows: terminal.rows },
      ticket: async () =>
        (await request('POST /v1/live/tickets', { body: { purpose: 'exec', about: { jobId, rank } } })).ticket,
      onOpen: () => {
        latest.current.onState('open');
        terminal.focus();
      },
      onOutput: (bytes, done) => terminal.write(bytes, done),
      onEnd: (end) => latest.current.onEnd(end),
    });
    terminal.onData((text) => {
      if (!session.type(text)) terminal.write('\r\n[too much was pasted at once; copy it as a file: solyx cp]\r\n');
    });
    terminal.onBinary((text) => session.type(Uint8Array.from(text, (character) => character.charCodeAt(0))));
    terminal.onResize(({ cols, rows }) => session.resize({ columns: cols, rows }));
    const sizes = new ResizeObserver(() => fit.fit());
    sizes.observe(place);
    parts.current = { terminal, session };
    return () => {
      sizes.disconnect();
      session.close();
      terminal.dispose();
      forbidStyles();
    };
  }, [jobId, rank]);

  useEffect(() => {
    const { terminal } = parts.current!;
    // The new colours are on the page only after this turn.
    const frame = requestAnimationFrame(() => {
      terminal.options.theme = terminalTheme(scheme);
    });
    return () => cancelAnimationFrame(frame);
  }, [scheme]);
  useEffect(() => {
    parts.current!.terminal.options.screenReaderMode = forReaders;
  }, [forReaders]);
  useEffect(() => {
    if (isOpen) return;
    parts.current!.session.close();
    parts.current!.terminal.options.disableStdin = true;
  }, [isOpen]);

  return (
    <div className={classes.frame}>
      <div ref={host} className={classes.screen} />
    </div>
  );
}
