/** The dashboard's build for a server that starts: made anew when its sources changed, never a reason not to start. */
import { ensureDashboard } from '../../tools/scripts/build-dashboard.mjs';
import type { Logger } from '../common/logger.ts';
import { note } from './output.ts';

/** Folder of the build; null where there is none, and then it is said why. */
export async function builtDashboard(logger: Logger): Promise<string | null> {
  try {
    return await ensureDashboard();
  } catch (error) {
    logger.error({ err: error }, 'the dashboard could not be built; the API is served without it');
    note(`Without the dashboard: ${(error as Error).message}`);
    return null;
  }
}
