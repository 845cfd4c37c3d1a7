/** Entry of the thread that answers dry runs. */
import { workerData } from 'node:worker_threads';
import { type DatabaseLogins, openDatabase } from '../../../common/database/index.ts';
import { silentLogger } from '../../../common/logger.ts';
import { serveCalls } from '../../../common/threads/call-thread.ts';
import { previewHere, type ThreadCall } from '../preview.ts';

const logins = workerData as DatabaseLogins;
let answer: ReturnType<typeof previewHere> | undefined;

serveCalls(async (call: ThreadCall) => {
  answer ??= previewHere(await openDatabase({ logins, logger: silentLogger, poolSize: 1 }));
  return answer(call);
});
