/** The slim bar above every page: whose data this is, search, whether it is live, time zone, theme. */
import { ActionIcon } from '@mantine/core';
import { SettingsMenu, UserMenu } from './bar-menu.tsx';
import { CommandKeys } from './command-keys.tsx';
import { LiveMark } from './live-mark.tsx';
import { useSession } from './session.ts';
import classes from './top-bar.module.css';

export function TopBar({ onMenu }: { readonly onMenu: () => void }) {
  const { me } = useSession();
  return (
    <header className={classes.bar}>
      <ActionIcon
        className={classes.menu}
        variant="subtle"
        color="gray"
        size={36}
        onClick={onMenu}
        aria-label="Open the menu"
      >
        <svg viewBox="0 0 20 20" className={classes.icon} aria-hidden="true">
          <path d="M3 5h14M3 10h14M3 15h14" />
        </svg>
      </ActionIcon>
      <div className={classes.where}>
        {me !== undefined && (
          <span title={`Tenant ${me.tenant.name}, project ${me.project.name}`}>
            <strong>{me.tenant.name}</strong>
            <span className={classes.project}> / {me.project.name}</span>
          </span>
        )}
      </div>
      <CommandKeys />
      <LiveMark />
      <SettingsMenu />
      <UserMenu />
    </header>
  );
}
