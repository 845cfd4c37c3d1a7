/**
 * Makes a process nicer to the others of this machine.
 *
 * On Linux a priority alone may mean nothing: with autogroups (`CONFIG_SCHED_AUTOGROUP`, on by default in most distributions) processors
 * are first shared among sessions, and priorities count within one only. Each process of PostgreSQL leads a session of its
 * own, so there its priority has nobody to be compared with. So its session is made nicer too. In a control group of its own
 * (a service, a container) autogroups do not count and priorities do.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

const nicest = 19;
/** Who is not root may change a session only once in a tenth of a second, whichever it is. */
const againMs = 150;
const mostTries = 20;

/**
 * @param pid a number that may be nobody's, or somebody else's by now
 * @param by 1..19, on top of what it has
 * @param command how the command line of who is meant begins; others are left alone
 */
export function makeNicer(pid: number | undefined, by: number, command: string): void {
  try {
    if (pid === undefined || !isCommand(pid, command)) return;
    setPriority(pid, Math.min(nicest, getPriority(pid) + by));
    makeSessionNicer(pid, by, command, 1);
  } catch {
    // Another machine's, another user's, or gone.
  }
}

function makeSessionNicer(pid: number, by: number, command: string, attempt: number): void {
  if (!leadsItsSession(pid)) return;
  const file = `/proc/${pid}/autogroup`;
  const now = /nice (-?\d+)/.exec(readFileSync(file, 'utf8'))?.[1];
  if (now === undefined) return;
  try {
    writeFileSync(file, String(Math.min(nicest, Number(now) + by)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || attempt === mostTries) throw error;
    const again = () => {
      try {
        if (isCommand(pid, command)) makeSessionNicer(pid, by, command, attempt + 1);
      } catch {
        // As above.
      }
    };
    setTimeout(again, againMs * (1 + Math.random())).unref();
  }
}

const isCommand = (pid: number, command: string): boolean =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(command);

/** Whether its session is its own: that of others would be slowed with it. */
function leadsItsSession(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold anything; state, parent, group and session follow.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]) === pid;
}
