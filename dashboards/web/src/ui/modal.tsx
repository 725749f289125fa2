import { type ReactNode, useEffect, useRef } from 'react';
import { Icon } from './icon.tsx';

export interface ModalProps {
  readonly title: ReactNode;
  readonly subtitle?: ReactNode;
  /** `dialog` stands in the middle, `drawer` at the right edge. */
  readonly kind: 'dialog' | 'drawer';
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** A native modal dialog: focus is kept inside, Escape and the backdrop close it, focus goes back after. */
export function Modal({ title, subtitle, kind, onClose, children }: ModalProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const dialog = ref.current!;
    const before = document.activeElement;
    dialog.showModal();
    const cancel = (event: Event): void => {
      event.preventDefault();
      close.current();
    };
    const press = (event: MouseEvent): void => {
      if (event.target === dialog) close.current();
    };
    dialog.addEventListener('cancel', cancel);
    dialog.addEventListener('mousedown', press);
    return () => {
      dialog.removeEventListener('cancel', cancel);
      dialog.removeEventListener('mousedown', press);
      dialog.close();
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog ref={ref} className={`modal modal--${kind}`} aria-labelledby="modal-title">
      <div className="modal__inner">
        <header className="modal__head">
          <div>
            <h2 id="modal-title">{title}</h2>
            {subtitle && <div className="modal__subtitle">{subtitle}</div>}
          </div>
          <button type="button" className="button button--icon" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
