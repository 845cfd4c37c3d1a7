export { createAgentBackend } from './backends/agent/agent-backend.ts';
export type { Backend, BackendId } from './backends/backend.ts';
export {
  adoptSimulated,
  endNamed,
  type Faults,
  recordSimulatedPresence,
  registerSimulatedNodes,
  type Script,
  type SimulatedNode,
  Simulator,
  type SimulatorOptions,
  scaledClock,
} from './backends/simulator/index.ts';
export { ClusterOrchestrator, type OrchestratorOptions } from './orchestrator.ts';
