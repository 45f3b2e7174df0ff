package com.acme.promise;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Orders, each a chain of futures; some dozens are open at the end of a step, and all end in the next. */
public class Promises {
    private static List<CompletableFuture<Receipt>> open = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            List<CompletableFuture<Receipt>> now = new ArrayList<>();
            int most = 30 + 37 * step % 50;
            for (int i = 0; i < pace.operations(900); i++) {
                CompletableFuture<Receipt> order = new CompletableFuture<>();
                order.thenApply(receipt -> receipt.text[0]).thenAccept(sum -> {});
                if (i < most) {
                    now.add(order);
                } else {
                    order.complete(new Receipt());
                }
            }
            open.forEach(each -> each.complete(new Receipt()));
            open = now;
            pace.endOfStep(step);
        }
    }
}

class Receipt {
    final byte[] text = new byte[5000];
}
