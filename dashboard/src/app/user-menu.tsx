/** Who is signed in, and the way out. */
import { Menu } from '@mantine/core';
import '../ui/overlays.css';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ComponentProps } from 'react';
import { request } from '../api/request.ts';
import type { BarMenuContent } from './bar-menu.tsx';
import { useSession } from './session.ts';

export default function UserMenu({ button }: ComponentProps<BarMenuContent>) {
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
    <Menu defaultOpened position="bottom-end" width={240}>
      <Menu.Target>{button}</Menu.Target>
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
