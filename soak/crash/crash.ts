/**
 * One run: load on, kill after kill, load off, let everything end, look.
 *
 * The number of kills or the time ends the killing, whichever comes first. Then nothing is killed any more, so whatever does
 * not end by itself within minutes never would.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { SoakContext, SoakOutcome } from '../harness.ts';
import { findBroken } from './invariants.ts';
import { Killer } from './killer.ts';
import type { Kill } from './kills.ts';
import { Load } from './load.ts';
import { observe } from './observed.ts';
import { isWithinReach } from './places.ts';
import { isRunning, seeProcesses } from './processes.ts';
import { Stand } from './stand.ts';
import { tally } from './tally.ts';

export interface CrashOptions extends SoakContext {
  /** What to kill, in order; may be endless. */
  readonly plan: Iterable<Kill>;
  /** Most kills, > 0. */
  readonly kills: number;
  /** Each failpoint of the plan must be reached. */
  readonly mustReach?: boolean;
}

const drainMs = 300_000;
/** The agent looks for leftovers every minute. */
const cleanMs = 100_000;
const mostBrokenShown = 40;

export async function crash(options: CrashOptions): Promise<SoakOutcome> {
  const stand = new Stand();
  options.progress(`seed ${options.seed}, home ${stand.home}`);
  const load = new Load(stand, options.seed);
  const killer = new Killer(stand, load, options.seed);
  const broken: string[] = [];
  let counts: Record<string, number> = {};
  try {
    for (const lack of await stand.start()) options.progress(`WITHOUT: ${lack}`);
    load.start();
    await killAll(options, stand, killer, broken);
    options.progress('no more kills; everything is let run to its end');
    await load.finish();
    const waited = await untilQuiet(stand);
    if (waited !== undefined) broken.push(waited);
    broken.push(...(await untilClean(stand)));
    const seen = await observe(stand);
    broken.push(
      ...stand.ownCrashes(),
      ...load.broken,
      ...survivors(await endedAttempts(stand)),
      ...findBroken(load.submissions, seen, killer.orphaned),
    );
    if (options.mustReach) broken.push(...killer.unreached.map((name) => `nobody came to the failpoint ${name}`));
    counts = tally(killer, load, seen);
  } catch (error) {
    broken.push(
      `the run broke off: ${error instanceof Error ? error.stack : String(error)}`,
      ...stand.ownCrashes(),
      ...load.broken,
    );
  } finally {
    broken.push(...(await stand.end(broken.length > 0)));
    if (broken.length > 0) options.progress(`what is left of it lies in ${stand.home}`);
  }
  const more = broken.length - mostBrokenShown;
  return { counts, broken: more > 0 ? [...broken.slice(0, mostBrokenShown), `and ${more} more`] : broken };
}

async function killAll(options: CrashOptions, stand: Stand, killer: Killer, broken: string[]): Promise<void> {
  const endsAt = performance.now() + options.minutes * 60_000;
  for (const kill of options.plan) {
    if (killer.records.length >= options.kills || performance.now() > endsAt) return;
    if (kill.at === 'failpoint' && !isWithinReach(kill.name, stand.drivers)) {
      options.progress(`kill at ${kill.name} left out: no node runs containers that way`);
      continue;
    }
    const done = await killer.carryOut(kill);
    const what = kill.at === 'failpoint' ? kill.name : kill.target;
    const last = killer.records.at(-1);
    const words = done ? `back after ${last?.recoveredMs?.toFixed(0) ?? '-'} ms` : 'not reached';
    options.progress(`kill ${killer.records.length}/${options.kills} ${what}: ${words}`);
    broken.push(...survivors(await endedAttempts(stand).catch(() => new Set<string>())));
  }
}

/** Waits until nothing of any attempt is on this machine. @returns what still is after minutes */
async function untilClean(stand: Stand): Promise<string[]> {
  const giveUpAt = performance.now() + cleanMs;
  for (;;) {
    const left = await stand.leftovers();
    if (left.length === 0 || performance.now() > giveUpAt) return left;
    await pause(1_000);
  }
}

async function endedAttempts(stand: Stand): Promise<Set<string>> {
  const rows = await stand.query<{ id: string }>(`select id from cmo_attempts where state = 'ended'`);
  return new Set(rows.map(({ id }) => id));
}

/** Processes of attempts that had ended before we looked. */
function survivors(ended: ReadonlySet<string>): string[] {
  return seeProcesses()
    .filter(({ pid, attemptId }) => attemptId !== null && ended.has(attemptId) && isRunning(pid))
    .map(
      ({ pid, attemptId, command }) => `process ${pid} of ${attemptId} outlived its attempt: ${command.slice(0, 80)}`,
    );
}

/** Waits until every job is final and nothing of any attempt is left on the nodes. @returns what still was not after minutes */
async function untilQuiet(stand: Stand): Promise<string | undefined> {
  const giveUpAt = performance.now() + drainMs;
  for (;;) {
    const [row] = await stand.query<{ jobs: number; channels: number; commands: number; reports: number }>(
      `select (select count(*)::int from cmo_jobs where state not in ('succeeded', 'failed', 'cancelled')) as jobs,
              (select count(*)::int from metapod_channels) as channels,
              (select count(*)::int from metapod_commands where acked_at is null) as commands,
              (select count(*)::int from metapod_reports where applied_at is null) as reports`,
    );
    const folders = stand.attemptFolders().length;
    const { jobs, channels, commands, reports } = row!;
    if (jobs + channels + commands + reports + folders === 0) return undefined;
    if (performance.now() > giveUpAt) {
      return `after ${drainMs / 1000} s: ${jobs} jobs not final, ${channels} channels, ${commands} commands and ${reports} reports open, ${folders} attempts on nodes`;
    }
    await pause(500);
  }
}
