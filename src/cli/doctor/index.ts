/** All checks of `solyx doctor`, in the order in which one thing stands on another. */

import { solyxHome } from '../../common/config/home.ts';
import { loadConfig } from '../../common/config/index.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { connect } from '../connect.ts';
import { checkCertificate } from './certificate.ts';
import { type Check, type Finding, failed, ok, type Patient } from './check.ts';
import { checkHome, checkIsolation } from './machine.ts';
import { checkAgent, checkControlPlane, checkDatabase } from './processes.ts';
import { checkFleet, checkJobs } from './work.ts';

export type { Finding, Verdict } from './check.ts';

const checks: Record<string, Check> = {
  home: checkHome,
  certificate: checkCertificate,
  'control-plane': checkControlPlane,
  database: checkDatabase,
  agent: checkAgent,
  isolation: checkIsolation,
  fleet: checkFleet,
  jobs: checkJobs,
};

/** Longest time for one group of checks, seconds. */
const patienceSeconds = 20;

/**
 * Looks at everything at once; one part that hangs or breaks keeps no other from being looked at, and all of them together take no longer
 * than one. What hangs goes on hanging: who calls this for a person ends the process afterwards.
 * @param patienceMs longest time for a group of checks, > 0
 */
export async function diagnose(configFile?: string, patienceMs = patienceSeconds * 1000): Promise<Finding[]> {
  const findings: Finding[] = [ok('node', `Node ${process.version}.`)];
  const patient = await admit(configFile, findings);
  const looks = Object.entries(checks).map(([name, check]) => {
    const late = new Promise<Finding[]>((resolve) => {
      const finding = failed(
        name,
        `It did not answer within ${patienceMs / 1000} s.`,
        'Look at the load of this machine and try again.',
      );
      setTimeout(() => resolve([finding]), patienceMs).unref();
    });
    return Promise.race([check(patient).catch((error) => [brokenBy(name, error)]), late]);
  });
  return [...findings, ...(await Promise.all(looks)).flat()];
}

async function admit(configFile: string | undefined, findings: Finding[]): Promise<Patient> {
  const home = solyxHome();
  let config: Patient['config'];
  try {
    config = loadConfig({ file: configFile });
    findings.push(ok('config', 'It is valid.'));
  } catch (error) {
    findings.push(brokenBy('config', error));
  }
  try {
    return { home, config, client: await connect(), clientMissing: undefined };
  } catch (error) {
    return { home, config, client: undefined, clientMissing: (error as Error).message };
  }
}

function brokenBy(check: string, error: unknown): Finding {
  const known = error instanceof SolyxError ? error : new SolyxError('internal', { cause: error });
  const where = known.issues.map(({ at, message }) => `${at}: ${message}`).join('; ');
  return failed(check, `${(error as Error).message}${where === '' ? '' : ` (${where})`}`, known.remedy);
}
