/** The tick of a menu's choice; as wide without it. */
import classes from './mark.module.css';

export function Mark({ on }: { readonly on: boolean }) {
  return (
    <svg className={classes.mark} viewBox="0 0 12 12" aria-hidden="true">
      {on && <path d="M1.5 6.5l3 3 6-7" />}
    </svg>
  );
}
