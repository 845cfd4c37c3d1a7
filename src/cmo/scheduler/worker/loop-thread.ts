/** Entry of the thread that runs the scheduler's loop; rounds are planned in a thread below it (`thread.ts`). */
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import { systemClock } from '../../../common/clock.ts';
import { openDatabase } from '../../../common/database/index.ts';
import { LocalWake } from '../../../common/events/index.ts';
import { attemptLedger } from '../../jobs/index.ts';
import { WorkloadScheduler } from '../workload-scheduler.ts';
import type { FromLoop, LoopSettings, ToLoop } from './loop-messages.ts';

/** The loop does one thing at a time. */
const poolSize = 2;

/** How much nicer this thread, the one below it and what the database does for it are than the rest: requests go first. */
const nicer = 5;
// On Linux priorities are a thread's own; elsewhere this would slow the whole process.
if (process.platform === 'linux') setPriority(Math.min(19, getPriority() + nicer));

const { logins, logLevel, ...settings } = workerData as LoopSettings;
const tell = (message: FromLoop): void => parentPort?.postMessage(message);

const logger = pino(
  { level: logLevel, base: null, timestamp: false, formatters: { level: (level) => ({ level }) } },
  { write: (line) => tell({ type: 'log', line }) },
);

/** Wakes this thread's loop when told to, and everybody else through the main thread. */
class ThreadWake extends LocalWake {
  override wake(topic: string): void {
    super.wake(topic);
    tell({ type: 'wake', topic });
  }

  /** The main thread says that there is something to do. */
  woken(): void {
    super.wake('scheduler');
  }
}

const wake = new ThreadWake();
let stopping = false;
let stop = async (): Promise<void> => {};

// Heard from the start: the database may take a while to answer.
parentPort?.on('message', (message: ToLoop) => {
  if (message.type === 'wake') wake.woken();
  else {
    stopping = true;
    void stop();
  }
});

const db = await openDatabase({ logins, logger, poolSize, nicer });
const scheduler = new WorkloadScheduler({
  db,
  wake,
  clock: systemClock,
  logger,
  ledger: attemptLedger,
  ...settings,
  record: (metric) => tell({ type: 'metric', metric }),
  onReady: (ready) => tell({ type: 'ready', ready }),
});
await scheduler.start();
stop = async () => {
  await scheduler.stop();
  await db.close();
  parentPort?.close();
};
if (stopping) await stop();
