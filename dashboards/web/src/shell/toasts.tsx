import { createContext, type ReactNode, useCallback, useContext, useRef, useState } from 'react';

interface Toast {
  readonly id: number;
  readonly tone: 'good' | 'bad';
  readonly message: string;
}

type Say = (tone: Toast['tone'], message: string) => void;

const ToastContext = createContext<Say>(() => undefined);
const SHOWN_MS = 5000;

/** Short confirmations at the foot of the page, read out by screen readers. */
export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const next = useRef(1);
  const say = useCallback<Say>((tone, message) => {
    const id = next.current;
    next.current += 1;
    setToasts((old) => [...old.slice(-2), { id, tone, message }]);
    setTimeout(() => setToasts((old) => old.filter((toast) => toast.id !== id)), SHOWN_MS);
  }, []);
  return (
    <ToastContext value={say}>
      {children}
      <div className="toasts" role="status">
        {toasts.map((toast) => (
          <div key={toast.id} className={`toast toast--${toast.tone}`}>
            {toast.message}
          </div>
        ))}
      </div>
    </ToastContext>
  );
}

export const useToast = (): Say => useContext(ToastContext);
