export { createAgentBackend } from './backends/agent/agent-backend.ts';
export type { Backend, BackendId } from './backends/backend.ts';
export { ClusterOrchestrator, type OrchestratorOptions } from './orchestrator.ts';
