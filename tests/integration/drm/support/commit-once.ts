/**
 * A scheduler in a process of its own that commits one plan and can be killed on the way (SOLYX_FAILPOINTS).
 * Arguments: the logins of the database and the plan, as JSON.
 */
import { attemptLedger } from '../../../../src/cmo/jobs/index.ts';
import { openDatabase } from '../../../../src/common/database/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { commitPlan } from '../../../../src/drm/allocator/index.ts';

const [logins = '', plan = ''] = process.argv.slice(2);
const db = await openDatabase({ logins: JSON.parse(logins), logger: silentLogger, poolSize: 2 });
const { placements } = JSON.parse(plan, (key, value) => (key === 'jobRevision' ? BigInt(value) : value));
const { committed, refused } = await commitPlan(db, { placements }, attemptLedger);
process.stdout.write(JSON.stringify({ committed: committed.length, refused: refused.length }));
await db.close();
