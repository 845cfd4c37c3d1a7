/** The nouns, on the left; on a narrow screen behind the menu button. Only pages that exist are named. */
import { Link } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { type Noun, nouns } from './nouns.ts';
import classes from './rail.module.css';

export function Rail({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!open) return;
    const back = document.activeElement as HTMLElement | null;
    nav.current?.querySelector('a')?.focus();
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') onClose();
    };
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('keydown', onKey);
      back?.focus();
    };
  }, [open, onClose]);
  return (
    <>
      {open && <button type="button" className={classes.veil} onClick={onClose} aria-label="Close the menu" />}
      <nav ref={nav} className={classes.rail} data-open={open} aria-label="Pages">
        <Link to="/" className={classes.brand} aria-label="Solyx, overview">
          Solyx
        </Link>
        {nouns.map((noun) => (
          <RailLink key={noun.folder} noun={noun} />
        ))}
      </nav>
    </>
  );
}

function RailLink({ noun }: { readonly noun: Noun }) {
  return (
    <Link
      to={noun.path}
      className={classes.link}
      activeOptions={{ exact: noun.path === '/', includeSearch: false }}
      activeProps={{ 'data-active': true }}
    >
      <svg viewBox="0 0 20 20" className={classes.icon} aria-hidden="true">
        <path d={noun.icon} />
      </svg>
      {noun.label}
    </Link>
  );
}
