/** One's own account: who one is, where one is signed in, and the API keys that one has made. */
import { useSession } from '../../app/session.ts';
import classes from './account.module.css';
import { KeysPanel } from './keys-panel.tsx';
import { SessionsPanel } from './sessions-panel.tsx';
import { TenantsPanel } from './tenants-panel.tsx';

export function Page() {
  const { me } = useSession();
  if (me === undefined) return null;
  return (
    <div className={classes.page}>
      <header>
        <h1>Your account</h1>
        <p className={classes.dim}>
          {me.user === null
            ? 'Signed in by an API key that belongs to nobody'
            : [me.user.name, me.user.email].filter(Boolean).join(', ')}
          ; {me.role} in {me.tenant.name}
        </p>
      </header>
      {me.session !== null && me.user !== null && <TenantsPanel />}
      <SessionsPanel />
      {me.user?.kind === 'person' && <KeysPanel role={me.role} />}
    </div>
  );
}
