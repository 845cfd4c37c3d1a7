/** The audit log as the API sees it; other components import `common/audit` directly. */
export { type AuditRecord, recordAudit } from '../../../common/audit/index.ts';
