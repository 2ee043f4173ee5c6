import { useEffect, useState } from 'react';
import { connect } from 'nestjs-eventstream/client';

interface Order {
  readonly no: number;
}

export function useOrders(): readonly Order[] {
  const [orders, setOrders] = useState<readonly Order[]>([]);

  useEffect(() => {
    const stream = connect<{ created: Order }>('/orders');
    stream.on('created', ({ data }) => setOrders((all) => [...all, data]));
    return stream.close;
  }, []);

  return orders;
}
