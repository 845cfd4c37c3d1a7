/** Metrics of the orchestrator. */
import { Counter, type Registry } from 'prom-client';

export interface OrchestratorMetrics {
  readonly steps: Counter<'step'>;
  readonly stepFailures: Counter;
  readonly ended: Counter<'outcome'>;
}

/** Registers the orchestrator's metrics. */
export function createOrchestratorMetrics(registry: Registry): OrchestratorMetrics {
  const registers = [registry];
  return {
    steps: new Counter({
      name: 'solyx_orchestrator_steps_total',
      help: 'Steps taken on attempts, by kind.',
      labelNames: ['step'],
      registers,
    }),
    stepFailures: new Counter({
      name: 'solyx_orchestrator_step_failures_total',
      help: 'Steps on attempts that failed and will be repeated.',
      registers,
    }),
    ended: new Counter({
      name: 'solyx_attempts_ended_total',
      help: 'Attempts that ended, by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
  };
}
