/** A gateway as a process of its own, for tests that kill it: `node gateway-process.ts <database url> <blobs> <port>`. */
import { deriveLogins, openDatabase, parseDatabaseUrl } from '../../../../src/common/database/index.ts';
import { createLogger } from '../../../../src/common/logger.ts';
import { startGateway } from './gateway.ts';

const [url = '', blobs = '', port = '0'] = process.argv.slice(2);
const logger = createLogger({ level: 'warn', name: 'gateway' });
const { admin, database } = parseDatabaseUrl(url);
const db = await openDatabase({ logins: deriveLogins(admin, database), logger, poolSize: 4 });
const started = await startGateway({ db, blobs, logger, port: Number(port) });
process.stdout.write(`${started.port}\n`);
