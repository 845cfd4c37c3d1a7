/** Who is signed in, and the way out. */
import { ActionIcon, Menu } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { request } from '../api/request.ts';
import { useSession } from './session.ts';
import classes from './top-bar.module.css';

export function UserMenu() {
  const { me } = useSession();
  const cache = useQueryClient();
  if (me === undefined) return null;
  const signOut = async () => {
    // A session that ended already is as good as one that ends now.
    await request('DELETE /v1/sessions/current').catch(() => undefined);
    cache.clear();
    location.assign('/');
  };
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size={36} aria-label="You">
          <svg viewBox="0 0 20 20" className={classes.icon} aria-hidden="true">
            <circle cx="10" cy="7" r="3.5" />
            <path d="M3.5 17c.8-3.5 3.4-5 6.5-5s5.7 1.5 6.5 5" />
          </svg>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {me.user?.name ?? 'An API key'}
          {me.user?.email ? `, ${me.user.email}` : ''}
          <br />
          Role {me.role} in {me.tenant.name}
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} to="/account">
          Your account
        </Menu.Item>
        <Menu.Item onClick={signOut}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
