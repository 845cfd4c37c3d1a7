/** The frame of pages outside the shell: signing in, accepting an invitation. */
import type { ReactNode } from 'react';
import classes from './gate.module.css';

export function Gate({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <main className={classes.gate}>
      <div className={classes.card}>
        <div className={classes.brand}>
          <svg viewBox="0 0 20 20" aria-hidden="true">
            <circle cx="10" cy="10" r="4" />
            <path d="M10 1v3M10 16v3M1 10h3M16 10h3" />
          </svg>
          Solyx
        </div>
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}

export const Or = () => <div className={classes.or}>or</div>;
