/** Entry of the thread that runs the scheduler's loop; rounds are planned in a thread below it (`thread.ts`). */
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import { systemClock } from '../../../common/clock.ts';
import { openDatabase } from '../../../common/database/index.ts';
import { LocalWake } from '../../../common/events/index.ts';
import { Traffic } from '../../../common/traffic.ts';
import { attemptLedger } from '../../jobs/index.ts';
import { WorkloadScheduler } from '../workload-scheduler.ts';
import { Courtesy } from './courtesy.ts';
import type { FromLoop, LoopSettings, ToLoop } from './loop-messages.ts';

/** The loop does one thing at a time. */
const poolSize = 2;

/** How much nicer this thread and the one below it are than the rest: requests go first. */
const nicer = 15;
/** The same for what the database does for it, which holds locks that requests wait for. */
const databaseNicer = 5;
// On Linux priorities are a thread's own; elsewhere this would slow the whole process.
if (process.platform === 'linux') setPriority(Math.min(19, getPriority() + nicer));

const { logins, logLevel, traffic, ...settings } = workerData as LoopSettings;
const courtesy = new Courtesy(new Traffic(traffic));
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

const db = await openDatabase({ logins, logger, poolSize, nicer: databaseNicer });
const scheduler = new WorkloadScheduler({
  db,
  wake,
  clock: systemClock,
  logger,
  ledger: attemptLedger,
  ...settings,
  pace: courtesy,
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
