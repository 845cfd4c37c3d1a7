/** Works off what is placed until it is killed. Argument: the database's logins as JSON. */
import { openDatabase } from '../../src/common/database/index.ts';
import { silentLogger } from '../../src/common/logger.ts';
import { startLine } from './ours.ts';

const db = await openDatabase({ logins: JSON.parse(process.argv[2]!), logger: silentLogger, poolSize: 10 });
await startLine(db, { scheduler: false, runMs: 0 });
process.on('disconnect', () => process.exit(0));
