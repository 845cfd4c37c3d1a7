/** Usage in its wire form: kilowatt-hours and dollars. */
import type { z } from 'zod';
import type { UsageSum } from '../../billing/index.ts';
import type { usage } from '../../common/contract/routes/jobs.ts';
import { formatUsd } from '../../common/money.ts';
import { JOULES_PER_KWH } from '../../common/units.ts';

export function toUsage(sum: UsageSum): z.output<typeof usage> {
  return {
    runSeconds: sum.runSeconds,
    deviceSeconds: sum.deviceSeconds,
    cpuSeconds: sum.cpuSeconds,
    energyKwh: sum.energyJoules / JOULES_PER_KWH,
    energySource: sum.energySource,
    costUsd: formatUsd(sum.costMicroUsd),
    open: sum.open > 0,
  };
}
