/**
 * A button of the top bar whose menu is loaded when somebody is about to open it: menus bring a positioning engine of
 * 14 KiB along, and most visits never open one.
 */
import { ActionIcon } from '@mantine/core';
import { type ComponentType, lazy, type ReactNode, Suspense, useState } from 'react';
import classes from './top-bar.module.css';

/** A menu that opens at once, below the button it is given. */
export type BarMenuContent = ComponentType<{ readonly button: ReactNode }>;

type Load = () => Promise<{ default: BarMenuContent }>;

const loadSettings: Load = () => import('./settings-menu.tsx');
const loadUser: Load = () => import('./user-menu.tsx');
const SettingsContent = lazy(loadSettings);
const UserContent = lazy(loadUser);

interface BarMenuProps {
  readonly label: string;
  /** Paths of a 20 × 20 icon. */
  readonly icon: string;
  readonly load: Load;
  readonly content: BarMenuContent;
}

function BarMenu({ label, icon, load, content: Content }: BarMenuProps) {
  const [used, setUsed] = useState(false);
  const prepare = () => void load().catch(() => undefined);
  const button = (
    <ActionIcon
      variant="subtle"
      color="gray"
      size={36}
      aria-label={label}
      aria-haspopup="menu"
      onPointerEnter={prepare}
      onFocus={prepare}
      onClick={used ? undefined : () => setUsed(true)}
    >
      <svg viewBox="0 0 20 20" className={classes.icon} aria-hidden="true">
        <path d={icon} />
      </svg>
    </ActionIcon>
  );
  if (!used) return button;
  return (
    <Suspense fallback={button}>
      <Content button={button} />
    </Suspense>
  );
}

export const SettingsMenu = () => (
  <BarMenu
    label="Theme and time zone"
    icon="M4 6h7M15 6h1M4 14h1M9 14h7M13 4v4M7 12v4"
    load={loadSettings}
    content={SettingsContent}
  />
);

export const UserMenu = () => (
  <BarMenu
    label="You"
    icon="M6.5 7a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0M3.5 17c.8-3.5 3.4-5 6.5-5s5.7 1.5 6.5 5"
    load={loadUser}
    content={UserContent}
  />
);
